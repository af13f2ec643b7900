"""What Hyperliquid's answers prove: sentences to codes, and what becomes of orders, cancels, settings and nonces."""

from __future__ import annotations

from decimal import Decimal

import pytest

from account_processors.codecs import hyperliquid_errors as errors
from account_processors.codecs.wire import Answer
from core.domain import OrderStatus
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError
from tests.unit.account_processors.hyperliquid_golden import answer, said

D = Decimal
SIZE = D("0.012")
MINE = "0x" + "0a" * 16


def placed(it: Answer, *, rests: bool = False) -> errors.Placed:
    return errors.placed(it, MINE, SIZE, rests=rests)


def test_accepted_orders() -> None:
    done = placed(answer("ack_filled"))
    assert done.order_id == "77000000001"
    assert done.outcome is not None
    assert (done.outcome.status, done.outcome.filled, done.outcome.average_price) == (
        OrderStatus.DONE, SIZE, D("64325.5"),
    )  # fmt: skip
    assert placed(answer("ack_resting"), rests=True) == errors.Placed("77000000001", None)


def test_an_order_that_rests_with_a_part_filled_has_no_outcome_yet() -> None:
    half = '{"status":"ok","response":{"type":"order","data":{"statuses":[{"filled":{"totalSz":"0.006","avgPx":"1","oid":1}}]}}}'  # noqa: E501
    assert placed(said(half), rests=True).outcome is None
    only = placed(said(half)).outcome
    assert only is not None
    assert (only.status, only.filled) == (OrderStatus.DONE, D("0.006"))


@pytest.mark.parametrize(
    ("sentence", "code", "kind"),
    [
        ("Insufficient margin to place order. asset=4", "PerpMargin", Rejected),
        ("Order 0: Reduce only order would increase position. asset=31", "ReduceOnly", Rejected),
        ("Order must have minimum value of $10. asset=0", "MinTradeNtl", Rejected),
        ("Order could not immediately match against any resting orders. asset=0", "IocCancel", Rejected),
        ("Price must be divisible by tick size. asset=0", "Tick", OurFault),
        ("Builder fee has not been approved.", "Builder", OurFault),
        ("User or API Wallet 0xb8a6f8b26223de27c31938d56e470a5b832703a5 does not exist.", "UnknownWallet", Denied),
        ("Must deposit before performing actions. User: 0x123", "MustDeposit", Denied),
        ("Vault not registered: 0x1234", "VaultNotRegistered", Denied),
        ("Invalid nonce: nonce too low 1776584283874 < 1776584799101", "NonceTooLow", Unavailable),
        ("Action already expired", "Expired", Unavailable),
        ("Too many cumulative requests sent (37986 > 10436) for cumulative volume", "TooManyRequests", Unavailable),
        ("Invalid nonce: duplicate nonce 1754922717871", "DuplicateNonce", Ambiguous),
        ("Something the venue never said before", "Something the venue never said before", Ambiguous),
    ],
)
def test_sentences_beside_an_order_and_about_the_whole_action(sentence: str, code: str, kind: type[VenueError]) -> None:
    inside = '{"status":"ok","response":{"type":"order","data":{"statuses":[{"error":"%s"}]}}}'
    about = '{"status":"err","response":"%s"}'
    for text in (inside % sentence, about % sentence):
        with pytest.raises(kind) as caught:
            placed(said(text))
        assert type(caught.value) is kind
        assert caught.value.code == code
        with pytest.raises(Ambiguous):
            placed(said(text, status=500))


def test_the_pause_of_an_address_without_requests_is_told() -> None:
    refused = said('{"status":"err","response":"Too many cumulative requests sent (2 > 1) for"}')
    with pytest.raises(Unavailable) as caught:
        placed(refused)
    assert caught.value.retry_after_s == errors.RATE_S
    assert errors.refused_for_rate(refused)
    assert not errors.refused_for_rate(answer("ack_filled"))
    assert not errors.refused_for_rate(Answer(200, None, 1.0, 1.1, "here"))


def test_every_sentence_is_in_the_table_but_those_that_prove_nothing() -> None:
    codes = set(errors.SENTENCES.values())
    assert codes - set(errors.PROVEN) == {errors.MISSING, errors.USED_NONCE}
    assert set(errors.PROVEN) <= codes
    for sentence, code in errors.SENTENCES.items():
        assert errors.code_of(sentence) == code  # none begins like another


def test_what_a_sentence_says_cannot_break_a_line() -> None:
    with pytest.raises(Ambiguous) as caught:
        placed(said('{"status":"err","response":"one\\u001b[31m\\ntwo"}'))
    assert "\n" not in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_cancels() -> None:
    errors.cancelled(answer("cancelled"), MINE)
    errors.cancelled(answer("cancel_missing"), MINE)
    for unproven in (answer("setting"), answer("ack_filled"), answer("cancelled", status=502), said("[]")):
        with pytest.raises(Ambiguous):
            errors.cancelled(unproven, MINE)
    with pytest.raises(Denied):
        errors.cancelled(answer("ack_unknown_wallet"), MINE)


def test_settings() -> None:
    errors.setting(answer("setting"))
    with pytest.raises(Rejected) as caught:
        errors.setting(said('{"status":"err","response":"Cannot switch leverage type with open position."}'))
    assert caught.value.code == "LeverageType"
    for unknown in (
        said('{"status":"err","response":"?"}'),
        answer("cancelled"),
        answer("setting", status=502),
        said("1"),
    ):
        with pytest.raises(Unavailable):
            errors.setting(unknown)


@pytest.mark.parametrize("text", ['{"status":"ok","response":{"type":"default"}}',
                                  '{"status":"err","response":"Invalid nonce: duplicate nonce 1"}',
                                  '{"status":"err","response":"Invalid nonce: nonce too low 1 < 2"}'])  # fmt: skip
def test_answers_by_which_a_nonce_is_spent(text: str) -> None:
    errors.nonce_spent(said(text))
    with pytest.raises(Unavailable):
        errors.nonce_spent(said(text, status=502))


@pytest.mark.parametrize("text", ["null", "{}", '{"status":"err","response":"Too many cumulative requests sent (2"}',
                                  '{"status":"err","response":"User or API Wallet 0x1 does not exist."}'])  # fmt: skip
def test_answers_by_which_a_nonce_may_still_be_used(text: str) -> None:
    with pytest.raises(Unavailable):
        errors.nonce_spent(said(text))


def test_reads() -> None:
    assert errors.read(said("[1]")) == {"data": [1]}
    for bad in (said("1", status=500), Answer(200, None, 1.0, 1.1, "here")):
        with pytest.raises(Unavailable):
            errors.read(bad)
    with pytest.raises(Unavailable) as caught:
        errors.read(said("null", status=429))
    assert caught.value.retry_after_s == errors.RATE_S
