"""What BloFin's answers prove: the table, the two levels of codes, and everything that proves nothing."""

from __future__ import annotations

import json

import pytest

from account_processors.codecs import blofin_errors as errors
from account_processors.codecs.wire import Answer
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError
from tests.unit.account_processors.blofin_golden import answer, recorded, said

MINE = "0123456789abcdef0123456789abcdef"


def test_an_order_that_was_taken_has_an_id() -> None:
    assert errors.order_id(answer("order_ack"), MINE) == "28150801"


@pytest.mark.parametrize("name", ["order_refused", "order_refused_inside"])
def test_the_code_beside_the_order_counts_whatever_the_answers_own_is(name: str) -> None:
    with pytest.raises(Rejected, match="Insufficient") as caught:
        errors.order_id(answer(name), MINE)
    assert caught.value.code == "103003"


def test_a_request_that_fails_as_a_whole_is_our_fault() -> None:
    with pytest.raises(OurFault, match="size"):
        errors.order_id(answer("order_refused_outside"), MINE)


@pytest.mark.parametrize("status", [200, 400, 401, 403, 429, 500, 502, 503])
def test_only_http_200_proves_anything(status: int) -> None:
    expected = Rejected if status == 200 else Ambiguous
    with pytest.raises(expected):
        errors.order_id(answer("order_refused", status), MINE)


def one(order_id: str | None, client_id: str, code: str | None) -> dict[str, str | None]:
    return {"orderId": order_id, "clientOrderId": client_id, "code": code}


def whole(code: str, *of_orders: dict[str, str | None]) -> str:
    return json.dumps({"code": code, "msg": "", "data": of_orders})


NOTHING = [
    '{"code":"0","msg":"success"}',
    '{"code":"0","data":null}',
    '{"code":"0","data":{}}',
    '{"code":true,"data":[]}',
    '{"code":null}',
    '{"code":""}',
    '{"msg":"success"}',
    '{"code":"0","data":["x"]}',
    whole("0", one("7", "another", "0")),
    whole("0", one(None, MINE, "0")),
    whole("0", one("7", MINE, "0"), one("8", MINE, "0")),
    whole("0", one("7", MINE, "103003")),
    whole("1", one("7", MINE, "103003")),
    whole("1", one(None, MINE, None)),
    whole("2", one(None, MINE, "103003")),
    '{"code":"1","msg":"All operations failed"}',
    '{"code":500,"data":{},"msg":"Internal Server Error"}',
    '{"code":"999999","msg":"new"}',
]


@pytest.mark.parametrize("text", NOTHING)
def test_an_answer_that_proves_nothing_is_ambiguous(text: str) -> None:
    with pytest.raises(Ambiguous) as caught:
        errors.order_id(said(text), MINE)
    assert caught.value.client_id == MINE


def test_no_body_at_all_is_ambiguous_too() -> None:
    with pytest.raises(Ambiguous):
        errors.order_id(Answer(200, None, 1.0, 1.1, "blofin /test"), MINE)


@pytest.mark.parametrize("code", sorted(errors.PROVEN))
def test_every_verdict_says_what_happened_and_what_to_do(code: str) -> None:
    verdict = errors.PROVEN[code]
    inside = {"orderId": None, "code": code, "msg": "their words"}
    for text in (
        json.dumps({"code": code, "msg": "their words"}),
        json.dumps({"code": "1", "data": [inside]}),
    ):
        with pytest.raises(VenueError) as caught:
            errors.order_id(said(text), MINE)
        assert type(caught.value) is verdict.kind
        assert caught.value.code == code
        for part in (verdict.what, verdict.remedy, "their words", "/test"):
            assert part in str(caught.value)


def test_a_cancel_is_done_when_accepted_or_nothing_is_left() -> None:
    errors.cancelled(said(whole("0", {"orderId": "1", "code": "0"})), MINE)
    errors.cancelled(said('{"code":"0","data":{"orderId":"1","clientOrderId":null,"code":"0"}}'), MINE)
    for gone in errors.ORDER_GONE:
        errors.cancelled(said(whole("1", one(None, MINE, gone))), MINE)
        errors.cancelled(said(json.dumps({"code": gone})), MINE)


def test_a_cancel_that_nobody_answered_for_is_ambiguous() -> None:
    for bad in (said('{"code":"500"}'), said('{"code":"0"}', 502), Answer(200, None, 1.0, 1.1, "x")):
        with pytest.raises(Ambiguous):
            errors.cancelled(bad, MINE)
    with pytest.raises(Denied):
        errors.cancelled(answer("bad_signature"), MINE)


def test_reads_are_good_denied_or_unavailable() -> None:
    assert errors.read(answer("positions"))["code"] == "0"
    with pytest.raises(Denied):
        errors.read(answer("bad_signature"))
    with pytest.raises(Denied):
        errors.read(Answer(401, None, 1.0, 1.1, "x"))
    for bad in (said('{"code":"103003"}'), said('{"code":"0"}', 502), Answer(200, None, 1.0, 1.1, "x")):
        with pytest.raises(Unavailable):
            errors.read(bad)
    with pytest.raises(Unavailable) as caught:
        errors.read(Answer(403, None, 1.0, 1.1, "x"))
    assert caught.value.retry_after_s == pytest.approx(300.0)


def test_settings_are_done_refused_or_read_back() -> None:
    errors.setting(said('{"code":"0","data":{"marginMode":"cross"}}'))
    with pytest.raises(Rejected):
        errors.setting(said('{"code":"110019","msg":"Setting failed."}'))
    for bad in (said('{"code":"103013"}'), said('{"code":"0"}', 502), Answer(200, None, 1.0, 1.1, "x")):
        with pytest.raises(Unavailable):
            errors.setting(bad)


def test_recorded_answers_are_understood() -> None:
    placed = Answer(200, recorded("Trading/PlaceOrder"), 1.0, 1.1, "x")
    assert errors.order_id(placed, "test1597321") == "28150801"
    errors.cancelled(Answer(200, recorded("Trading/CancelOrder"), 1.0, 1.1, "x"), MINE)
    for name in ("SetLeverage", "SetMarginMode", "SetPositionMode"):
        errors.setting(Answer(200, recorded(f"Account/{name}"), 1.0, 1.1, "x"))
