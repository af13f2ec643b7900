"""What KuCoin's answers prove."""

from __future__ import annotations

import pytest

from account_processors.codecs import kucoin_errors as errors
from account_processors.codecs.wire import Answer, Row
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError
from tests.unit.account_processors.kucoin_golden import answer, payload

MINE = "9f1c0a2b3d4e5f60718293a4b5c6d7e8"
NO_JSON = Answer(200, None, 1.0, 1.1, "kucoin /test")


def coded(code: object, status: int = 200, **more: object) -> Answer:
    return Answer(status, {"code": code, "msg": "words", **more}, 1.0, 1.1, "kucoin /test", retry_after_s=7.0)


def test_an_order_is_taken_only_where_the_answer_names_it() -> None:
    assert errors.order_id(answer("order_ack"), MINE) == "301123456789012345"
    assert errors.order_id(answer("order_ack_old"), MINE) == "301123456789012345"
    for bad in (answer("order_ack", 500), answer("order_ack", 202), coded("200000", data=[]), NO_JSON):
        with pytest.raises(Ambiguous):
            errors.order_id(bad, MINE)
    with pytest.raises(Ambiguous, match="another order"):
        errors.order_id(answer("order_ack"), "somebody-else")


@pytest.mark.parametrize("status", [200, 400, 401, 403, 429])
@pytest.mark.parametrize("code", sorted(errors.PROVEN))
def test_a_listed_code_proves_its_verdict_below_500(code: str, status: int) -> None:
    kind = errors.PROVEN[code].kind
    with pytest.raises(kind) as caught:
        errors.order_id(coded(code, status), MINE)
    assert caught.value.code == code
    assert errors.PROVEN[code].remedy in str(caught.value)
    with pytest.raises(Ambiguous):
        errors.order_id(coded(code, 502), MINE)


@pytest.mark.parametrize("code", ["300018", "100002", "100004", "300010", "500000", "999999", 400100, None, "", "x1"])
def test_any_other_code_proves_nothing(code: object) -> None:
    with pytest.raises(Ambiguous) as caught:
        errors.order_id(coded(code), MINE)
    assert caught.value.client_id == MINE


def test_a_limit_says_when_to_try_again() -> None:
    with pytest.raises(Unavailable) as caught:
        errors.order_id(coded("429000", 429), MINE)
    assert caught.value.retry_after_s == 7.0
    with pytest.raises(Unavailable) as caught:
        errors.order_id(coded("200002"), MINE)
    assert caught.value.retry_after_s == 10.0


@pytest.mark.parametrize("code", ["200000", "100001", "100004"])
def test_a_cancel_that_finds_nothing_is_done(code: str) -> None:
    errors.cancelled(coded(code, data={"clientOid": MINE}), MINE)


@pytest.mark.parametrize(
    ("bad", "kind"),
    [(NO_JSON, Ambiguous), (coded("500000", 500), Ambiguous), (coded("100004", 500), Ambiguous),
     (coded("400007", 403), Denied), (coded("300000"), OurFault)],
)  # fmt: skip
def test_a_cancel_that_fails_says_so(bad: Answer, kind: type[VenueError]) -> None:
    with pytest.raises(kind):
        errors.cancelled(bad, MINE)


def test_reads_are_good_denied_or_unavailable() -> None:
    assert errors.read(answer("timestamp")) == payload("timestamp")
    with pytest.raises(Denied, match="api_secret"):
        errors.read(answer("bad_signature", 401))
    for bad in (NO_JSON, answer("bad_signature", 503), coded("300003"), answer("timestamp", 500), coded("429000", 429)):
        with pytest.raises(Unavailable):
            errors.read(bad)


LOOKUPS: list[tuple[Answer, bool]] = [
    (answer("no_order"), True),
    (answer("no_order", 400), True),
    (coded("200000", data=None), True),
    (answer("no_order", 502), False),
    (coded("200000", data=[]), False),
    (coded("100004"), False),
    (NO_JSON, False),
]


@pytest.mark.parametrize(("given", "absent"), LOOKUPS)
def test_only_the_venues_own_word_makes_an_order_absent(given: Answer, absent: bool) -> None:
    if absent:
        assert errors.found(given) is None
    else:
        with pytest.raises(Unavailable):
            errors.found(given)


def test_an_order_that_is_found() -> None:
    row: Row | None = errors.found(answer("order_filled"))
    assert row is not None
    assert row["clientOid"] == MINE


SETTINGS: list[tuple[Answer, type[VenueError] | None]] = [
    (coded("200000", data=True), None),
    (coded("50002"), Rejected),
    (coded("330005"), Rejected),
    (coded("400007", 403), Denied),
    (coded("429000", 429), Unavailable),
    (coded("500000", 500), Unavailable),
    (coded("500000"), Unavailable),
    (coded("50002", 502), Unavailable),
    (NO_JSON, Unavailable),
]


@pytest.mark.parametrize(("given", "kind"), SETTINGS)
def test_settings(given: Answer, kind: type[VenueError] | None) -> None:
    if kind is None:
        errors.setting(given)
    else:
        with pytest.raises(kind):
            errors.setting(given)
