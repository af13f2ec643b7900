"""What MEXC's answers prove: orders, cancels, reads, lookups, settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from account_processors.codecs import mexc_errors as errors
from account_processors.codecs.wire import Answer
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError
from tests.unit.account_processors.mexc_golden import answer, payload

MINE = "9f1c0a2b3d4e5f60718293a4b5c6d7e8"


def refusal(code: object, message: str = "no", status: int = 200) -> Answer:
    return replace(answer("refused", status), payload={"success": False, "code": code, "message": message})


def test_the_order_id_of_present_and_older_answers() -> None:
    assert errors.order_id(answer("order_ack"), MINE) == "739113577038255616"
    assert errors.order_id(answer("order_ack_old"), MINE) == "102057569836905984"


CODES: list[tuple[int, type[VenueError]]] = [
    (2005, Rejected),
    (2009, Rejected),
    (604, Rejected),
    (704, Denied),
    (401, Denied),
    (602, Denied),
    (7002, Denied),
    (511, Denied),
    (510, Unavailable),
    (513, Unavailable),
    (600, OurFault),
    (2030, OurFault),
    (500, Ambiguous),
    (501, Ambiguous),
    (603, Ambiguous),
    (2042, Ambiguous),
    (2056, Ambiguous),
    (6008, Ambiguous),
    (9999, Ambiguous),
    (12345, Ambiguous),
]


@pytest.mark.parametrize(("code", "kind"), CODES)
def test_what_a_code_proves(code: int, kind: type[VenueError]) -> None:
    with pytest.raises(VenueError) as caught:
        errors.order_id(refusal(code), MINE)
    assert type(caught.value) is kind
    assert caught.value.code == str(code)
    if isinstance(caught.value, Ambiguous):
        assert caught.value.client_id == MINE


@pytest.mark.parametrize("status", [201, 400, 401, 403, 429, 500, 502, 503])
def test_any_other_http_status_proves_nothing(status: int) -> None:
    for one in (refusal(2005, status=status), answer("order_ack", status)):
        with pytest.raises(Ambiguous) as caught:
            errors.order_id(one, MINE)
        assert caught.value.code == str(status)


CONTRADICTIONS: list[dict[str, Any]] = [
    {"success": True, "code": 2005},
    {"success": False, "code": 0},
    {"success": "false", "code": 2005},
    {"success": False, "code": "2005"},
    {"success": False, "code": True},
    {"success": False},
    {"code": 2005},
    {"success": True, "code": 0},
    {"success": True, "code": 0, "data": []},
    {"success": True, "code": 0, "data": {"orderId": None}},
]


@pytest.mark.parametrize("body", CONTRADICTIONS)
def test_an_answer_that_contradicts_itself_proves_nothing(body: dict[str, Any]) -> None:
    for seen in (replace(answer("refused"), payload=body), replace(answer("refused"), payload=None)):
        with pytest.raises(Ambiguous):
            errors.order_id(seen, MINE)


def test_every_refusal_says_what_happened_and_what_to_do() -> None:
    for code, verdict in errors.PROVEN.items():
        error = verdict.error("mexc /x", "said", code)
        assert verdict.what in str(error)
        assert verdict.remedy in str(error)
    with pytest.raises(Rejected, match="Balance insufficient"):
        errors.order_id(answer("refused"), MINE)


def test_cancels() -> None:
    for name in ("cancel_done", "cancel_absent", "cancel_final"):
        errors.cancelled(answer(name), MINE)
    with pytest.raises(Denied):
        errors.cancelled(answer("cancel_denied"), MINE)
    for seen in (answer("cancel_unknown"), answer("setting"), answer("orders"), answer("cancel_done", 502)):
        with pytest.raises(Ambiguous):
            errors.cancelled(seen, MINE)
    with pytest.raises(Denied):
        errors.cancelled(refusal(704), MINE)


def test_reads_are_good_denied_or_unavailable() -> None:
    assert errors.read(answer("positions")) == payload("positions")
    for denied in (answer("bad_signature"), refusal(701), refusal(7002), answer("positions", 401)):
        with pytest.raises(Denied):
            errors.read(denied)
    broken = (answer("bad_signature", 500), answer("positions", 502))
    for failed in (answer("refused"), *broken, refusal(2009), refusal(0)):
        with pytest.raises(Unavailable):
            errors.read(failed)
    with pytest.raises(Unavailable) as caught:
        errors.read(answer("too_many"))
    assert caught.value.retry_after_s == errors.RATE_S


def test_lookups() -> None:
    for name in ("order_absent", "order_absent_null", "order_absent_empty"):
        assert errors.found(answer(name)) is None
    row = errors.found(answer("order_filled"))
    assert row is not None
    assert row["externalOid"] == MINE
    for failed in (answer("order_absent", 502), answer("refused"), answer("time")):
        with pytest.raises(Unavailable):
            errors.found(failed)


def test_settings() -> None:
    errors.setting(answer("setting"))
    with pytest.raises(Rejected):
        errors.setting(refusal(7001))
    with pytest.raises(Denied):
        errors.setting(refusal(704))
    for unknown in (refusal(500), answer("setting", 502), replace(answer("setting"), payload=None), refusal(2042)):
        with pytest.raises(Unavailable, match="read"):
            errors.setting(unknown)
