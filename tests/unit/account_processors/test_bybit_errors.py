"""What Bybit's answers prove: the table row by row, and everything beside it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from account_processors.codecs import bybit_errors as errors
from account_processors.codecs.wire import Answer, Malformed, loads
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError
from tests.unit.account_processors.bybit_golden import answer
from tests.unit.account_processors.golden import ROOT

MINE = "0123456789abcdef0123456789abcdef"
Kind = type[VenueError]

TABLE: list[tuple[int, Kind]] = [
    *((code, Unavailable) for code in (10002, 10006, 10009, 10018)),
    *((code, Denied) for code in (10003, 10004, 10005, 10007, 10008, 10010, 10024, 10027, 10028, 33004)),
    *((code, Denied) for code in (110018, 110067, 110069, 110088)),
    *((code, OurFault) for code in (10001, 10017, 110032)),
    *((code, Rejected) for code in (10029, 110003, 110004, 110006, 110007, 110011, 110012, 110013, 110017, 110020)),
    *((code, Rejected) for code in (110021, 110022, 110023, 110024, 110028, 110029, 110036, 110038, 110040, 110042)),
    *((code, Rejected) for code in (110044, 110045, 110051, 110052, 110053, 110063, 110066, 110073, 110074, 110080)),
    *((code, Rejected) for code in (110085, 110086, 110087, 110089, 110090, 110094, 110095, 110098, 110103)),
    *((code, Rejected) for code in (3400045, 3400139)),
]
PROVES_NOTHING = [-1, 429, 10000, 10014, 10016, 10019, 40004, 110001, 110005, 110072, 110079, 170130, 5004]


PAGE = ROOT / "docs" / "venues" / "bybit.md"


def codes_of(kind: str) -> set[int]:
    """The codes the venue's page lists for a verdict; they have five or more digits, or a minus."""
    (row,) = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| {kind} |")]
    cell = re.sub(r"(\d+)–(\d+)", lambda m: " ".join(map(str, range(int(m[1]), int(m[2]) + 1))), row.split("|")[2])
    return {int(code) for code in re.findall(r"\b\d{5,7}\b", cell)}


@pytest.mark.parametrize("kind", [Rejected, Denied, Unavailable, OurFault])
def test_the_page_tells_the_table(kind: Kind) -> None:
    assert codes_of(kind.__name__) <= {code for code, of in TABLE if of is kind}
    assert not codes_of("*unknown*") & {code for code, _ in TABLE}
    assert codes_of("*unknown*") <= set(PROVES_NOTHING)


def said(code: object, result: object = None, status: int = 200, **extra: object) -> Answer:
    body = {"retCode": code, "retMsg": "in the venue's words", "result": {} if result is None else result, **extra}
    return Answer(status, loads(json.dumps(body).encode()), 1.0, 1.1, "bybit /v5/order/create")


@pytest.mark.parametrize(("code", "kind"), TABLE)
def test_a_listed_code_proves_that_nothing_happened(code: int, kind: Kind) -> None:
    with pytest.raises(VenueError) as caught:
        errors.order_id(said(code), MINE)
    assert type(caught.value) is kind
    assert caught.value.code == str(code)
    message = str(caught.value)
    assert "bybit /v5/order/create" in message
    assert "in the venue's words" in message
    assert errors.PROVEN[code].remedy in message


def test_the_tests_know_every_row_of_the_table() -> None:
    assert {code for code, _ in TABLE} == set(errors.PROVEN)


@pytest.mark.parametrize("code", PROVES_NOTHING)
def test_other_codes_prove_nothing(code: int) -> None:
    with pytest.raises(Ambiguous) as caught:
        errors.order_id(said(code), MINE)
    assert (caught.value.client_id, caught.value.code) == (MINE, str(code))


@settings(deadline=None)
@given(st.integers(-(10**7), 10**7))
def test_no_code_at_all_is_an_acceptance_but_zero(code: int) -> None:
    with pytest.raises(VenueError) as caught:
        errors.order_id(said(code, {"orderId": "1", "orderLinkId": "not this one"}), MINE)
    assert type(caught.value) is (errors.PROVEN[code].kind if code in errors.PROVEN else Ambiguous)


@pytest.mark.parametrize("status", [100, 201, 204, 301, 400, 401, 403, 404, 429, 500, 502, 503, 504])
def test_only_http_200_proves_anything_about_an_order(status: int) -> None:
    for seen in (said(0, {"orderId": "1", "orderLinkId": MINE}, status), said(10001, None, status)):
        with pytest.raises(Ambiguous) as caught:
            errors.order_id(seen, MINE)
        assert caught.value.code == str(status)


def test_an_acknowledgement_must_be_ours() -> None:
    assert errors.order_id(answer("order_ack"), MINE) == "5a6b3c1e-0000-4000-8000-000000000001"
    incomplete = [{"orderId": "1"}, {"orderLinkId": MINE}, {"orderId": "", "orderLinkId": MINE}]
    results: list[object] = [*incomplete, [], "ok", None]
    for result in results:
        with pytest.raises(Ambiguous):
            errors.order_id(said(0, result), MINE)
    with pytest.raises(Ambiguous):
        errors.order_id(answer("order_ack"), "another")
    with pytest.raises(Ambiguous):
        errors.order_id(replace(answer("order_ack"), payload=None), MINE)


@pytest.mark.parametrize("code", ["0", 0.5, True, None, [], {}])
def test_a_code_that_is_no_code_is_no_answer(code: object) -> None:
    with pytest.raises(Malformed):
        errors.envelope(said(code))
    with pytest.raises(Ambiguous):
        errors.order_id(said(code, {"orderId": "1", "orderLinkId": MINE}), MINE)
    with pytest.raises(Unavailable):
        errors.read(said(code))
    with pytest.raises(Unavailable):
        errors.setting(said(code), {110043})


@pytest.mark.parametrize(
    ("seen", "kind", "retry_after_s"),
    [
        (said(10003), Denied, None),
        (said(10010), Denied, None),
        (said(0, None, 401), Denied, None),
        (said(10006), Unavailable, None),
        (said(10001), Unavailable, None),
        (said(110007), Unavailable, None),
        (said(10016), Unavailable, None),
        (said(424242), Unavailable, None),
        (said(0, None, 403), Unavailable, 600.0),
        (replace(said(0, None, 403), retry_after_s=30.0), Unavailable, 30.0),
        (replace(said(0, None, 429), retry_after_s=7.0), Unavailable, 7.0),
        (replace(said(0), payload=None), Unavailable, None),
        (said(0, None, 502), Unavailable, None),
        (said(0, "no object"), Unavailable, None),
    ],
)
def test_reads(seen: Answer, kind: Kind, retry_after_s: float | None) -> None:
    with pytest.raises(VenueError) as caught:
        errors.read(seen)
    assert type(caught.value) is kind
    if isinstance(caught.value, Unavailable):
        assert caught.value.retry_after_s == retry_after_s


def test_a_good_read_is_its_result() -> None:
    assert errors.read(said(0, {"list": [1]})) == {"list": [1]}


def test_settings() -> None:
    benign = {errors.LEVERAGE_NOT_MODIFIED}
    for code in (0, 110043):
        errors.setting(said(code), benign)
    for code, kind in ((110013, Rejected), (10005, Denied), (10001, OurFault), (10016, Unavailable), (99, Unavailable)):
        with pytest.raises(VenueError) as caught:
            errors.setting(said(code), benign)
        assert type(caught.value) is kind
    with pytest.raises(Unavailable):
        errors.setting(said(110026), benign)
    with pytest.raises(Unavailable):
        errors.setting(said(0, None, 502), benign)


def test_reasons_of_a_refused_margin_mode_are_told() -> None:
    with pytest.raises(Rejected, match="There are open positions") as caught:
        errors.setting(answer("margin_mode_failed"), {errors.MARGIN_MODE_NOT_MODIFIED})
    assert caught.value.code == "3400045"


def test_cancelling_what_is_gone_is_done() -> None:
    ok = {"orderId": "1", "orderLinkId": MINE}
    for seen in (said(0, ok), said(110001), said(110008), said(110010)):
        errors.cancelled(seen, MINE)
    for seen, kind in ((said(10016), Ambiguous), (said(10005), Denied), (said(0, ok, 502), Ambiguous)):
        with pytest.raises(VenueError) as caught:
            errors.cancelled(seen, MINE)
        assert type(caught.value) is kind


def test_venue_words_are_bounded_and_on_one_line() -> None:
    body = {"retCode": 110007, "retMsg": "line\n\tbreak " + "x" * 10_000, "result": {}}
    seen = Answer(200, loads(json.dumps(body).encode()), 1.0, 1.1, "bybit /x")
    with pytest.raises(Rejected) as caught:
        errors.order_id(seen, MINE)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)
