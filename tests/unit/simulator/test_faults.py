"""Which requests a fault meets, how often, and what several of them amount to."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import pytest

from core.errors import ConfigError
from simulator.facades import Call, Match
from simulator.fault_body import fault_from, fault_row
from simulator.faults import CLEAN, MESSAGE_KINDS, Ending, Faults, Kind, Verdict, aims
from simulator.model import Conditions

D = Decimal
ORDER = Call(Match.ORDER_CREATE, "main", "POST /order")
READ = Call(Match.POSITIONS, "second", "GET /positions")
TIME = Call(Match.OTHER, None, "GET /time")


def inject(faults: Faults, **body: object) -> int:
    whole: Mapping[str, object] = {"venue": "bybit", "match": "any", **body}
    return faults.add(fault_from(whole, "bybit", ("main", "second"))).id


def verdicts(faults: Faults, call: Call, times: int, venue: str = "bybit") -> list[Verdict]:
    return [faults.verdict(venue, lambda: call) for _ in range(times)]


# --- whom it meets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("aim", "met"),
    [
        ({"match": "any"}, [ORDER, READ, TIME]),
        ({"match": "order_create"}, [ORDER]),
        ({"match": "positions"}, [READ]),
        ({"match": "any", "account": "main"}, [ORDER]),
        ({"match": "positions", "account": "main"}, []),
        ({"match": "stream"}, []),
    ],
)
def test_aim(aim: Mapping[str, object], met: list[Call]) -> None:
    faults = Faults(7)
    inject(faults, kind="empty", count=0, **aim)
    assert [call for call in (ORDER, READ, TIME) if verdicts(faults, call, 1) != [CLEAN]] == met
    assert faults.all()[0].hits == len(met)


def test_a_request_about_two_things_is_met_by_faults_on_either() -> None:
    both = Call(Match.POSITIONS, "main", "POST /state", Match.EQUITY)
    for match, met in (("positions", True), ("equity", True), ("prices", False)):
        faults = Faults(7)
        inject(faults, kind="empty", match=match)
        assert (verdicts(faults, both, 1) != [CLEAN]) == met


def test_other_venues_are_not_met_and_nothing_is_classified_for_nothing() -> None:
    faults = Faults(7)
    inject(faults, kind="empty")

    def unexpected() -> Call:
        raise AssertionError("classified without need")

    assert faults.verdict("kucoin", unexpected) is CLEAN
    assert verdicts(faults, ORDER, 1) != [CLEAN]
    assert faults.verdict("bybit", unexpected) is CLEAN, "a spent fault asks nothing any more"


# --- how often --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "hits"), [({}, 1), ({"count": 3}, 3), ({"count": 0}, 5)])
def test_count(count: Mapping[str, object], hits: int) -> None:
    faults = Faults(7)
    inject(faults, kind="reset", **count)
    met = [verdict is not CLEAN for verdict in verdicts(faults, ORDER, 5)]
    assert met == [n < hits for n in range(5)]
    assert faults.all()[0].hits == hits


def test_probability_is_seeded() -> None:
    def run(seed: int) -> list[bool]:
        faults = Faults(seed)
        inject(faults, kind="reset", probability="0.3")
        met = [verdict is not CLEAN for verdict in verdicts(faults, ORDER, 400)]
        assert faults.all()[0].hits == sum(met)
        return met

    assert run(7) == run(7) != run(8)
    assert 80 < sum(run(7)) < 160


def test_probability_with_a_count_stops_there() -> None:
    faults = Faults(7)
    inject(faults, kind="reset", probability="0.5", count=2)
    verdicts(faults, ORDER, 50)
    assert faults.all()[0].hits == 2


def test_delete() -> None:
    faults = Faults(7)
    first, second = (inject(faults, kind="reset", count=0) for _ in range(2))
    assert (faults.delete(first), faults.delete(first)) == (1, 0)
    assert [fault.id for fault in faults.all()] == [second]
    assert faults.delete() == 1
    assert verdicts(faults, ORDER, 1) == [CLEAN]
    assert inject(faults, kind="reset") > second, "an id never comes back"


# --- what it does -----------------------------------------------------------------------------------------------------

KINDS = {
    # kind: (value, verdict)
    "drop_before": (None, Verdict(landed=False, ending=Ending.CLOSE)),
    "drop_after": (None, Verdict(landed=True, ending=Ending.CLOSE)),
    "delay_ms": (1500, Verdict(before_s=1.5)),
    "duplicate": (2, Verdict(answers=(2, 2))),
    "status": (429, Verdict(landed=False, status=429)),
    "reset": (None, Verdict(landed=False, ending=Ending.RESET)),
    "garbage": (None, Verdict(cut=True)),
    "empty": (None, Verdict(empty=True)),
    "hang": (None, Verdict(landed=False, ending=Ending.HANG)),
    "stale_positions_ms": (10_000, Verdict(conditions=Conditions(stale_positions_s=10.0))),
    "partial_fill": ("0.25", Verdict(conditions=Conditions(partial_fill=D("0.25")))),
    "reject_code": ("110007", Verdict(landed=False, code="110007")),
    "accept_duplicate_ids": (None, Verdict(conditions=Conditions(accept_duplicate_ids=True))),
}


def test_every_kind_is_tested() -> None:
    assert set(KINDS) == set(Kind) - MESSAGE_KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_kind(kind: str) -> None:
    value, verdict = KINDS[kind]
    faults = Faults(7)
    inject(faults, kind=kind, **({} if value is None else {"value": value}))
    assert verdicts(faults, ORDER, 2) == [verdict, CLEAN]


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ({"kind": "status", "landed": True}, Verdict(status=502, landed=True)),
        ({"kind": "reset", "landed": True}, Verdict(ending=Ending.RESET, landed=True)),
        ({"kind": "hang", "value": 2000, "landed": True}, Verdict(ending=Ending.HANG, hang_s=2.0, landed=True)),
        ({"kind": "garbage", "landed": False}, Verdict(cut=True, landed=False)),
        ({"kind": "garbage", "value": "<html>"}, Verdict(cut=True, garbage=b"<html>")),
        ({"kind": "empty", "landed": False}, Verdict(empty=True, landed=False)),
        ({"kind": "delay_ms", "value": 200, "landed": True}, Verdict(after_s=0.2)),
        ({"kind": "duplicate"}, Verdict(answers=(2, 1))),
        ({"kind": "partial_fill"}, Verdict(conditions=Conditions(partial_fill=D("0.5")))),
    ],
)
def test_choices(body: Mapping[str, object], verdict: Verdict) -> None:
    faults = Faults(7)
    inject(faults, **body)
    assert verdicts(faults, ORDER, 1) == [verdict]


def test_several_faults_act_together_and_the_oldest_ending_wins() -> None:
    faults = Faults(7)
    for body in (
        {"kind": "delay_ms", "value": 100},
        {"kind": "drop_after"},
        {"kind": "reset", "count": 2},
        {"kind": "partial_fill", "value": "0.1"},
        {"kind": "accept_duplicate_ids", "count": 0},
    ):
        inject(faults, **body)
    both = Conditions(partial_fill=D("0.1"), accept_duplicate_ids=True)
    assert verdicts(faults, ORDER, 2) == [
        Verdict(before_s=0.1, ending=Ending.CLOSE, conditions=both),
        Verdict(landed=False, ending=Ending.RESET, conditions=Conditions(accept_duplicate_ids=True)),
    ]
    assert [fault.hits for fault in faults.all()] == [1, 1, 1, 1, 2], "what did not end it was not spent on it"


# --- bodies -----------------------------------------------------------------------------------------------------------

BAD = [
    ({"kind": "explode"}, "kind"),
    ({}, "kind"),
    ({"kind": "ws_gap", "match": "order_create"}, "kind"),
    ({"kind": "ws_duplicate", "match": "positions"}, "kind"),
    ({"kind": "ws_gap", "match": "stream", "value": 0}, "value"),
    ({"kind": "ws_gap", "match": "stream", "value": "1.5"}, "value"),
    ({"kind": "partial_fill", "match": "stream"}, "kind"),
    ({"kind": "reset", "match": "stream", "landed": True}, "landed"),
    ({"kind": "reset", "match": "orders"}, "match"),
    ({"kind": "reset", "match": "other"}, "match"),
    ({"kind": "reset", "account": "ninth"}, "account"),
    ({"kind": "reset", "count": -1}, "count"),
    ({"kind": "reset", "count": "2"}, "count"),
    ({"kind": "reset", "count": True}, "count"),
    ({"kind": "reset", "probability": 2}, "probability"),
    ({"kind": "reset", "value": 1}, "value"),
    ({"kind": "delay_ms"}, "value"),
    ({"kind": "delay_ms", "value": -1}, "value"),
    ({"kind": "delay_ms", "value": "soon"}, "value"),
    ({"kind": "status", "value": 99}, "value"),
    ({"kind": "status", "value": "502.5"}, "value"),
    ({"kind": "stale_positions_ms"}, "value"),
    ({"kind": "partial_fill", "value": "1.1"}, "value"),
    ({"kind": "reject_code"}, "value"),
    ({"kind": "drop_after", "landed": False}, "landed"),
    ({"kind": "reset", "landed": "yes"}, "landed"),
    ({"kind": "reset", "cuont": 1}, "cuont"),
]


@pytest.mark.parametrize(("body", "field"), BAD, ids=str)
def test_bad_body_names_the_field(body: Mapping[str, object], field: str) -> None:
    faults = Faults(7)
    with pytest.raises(ConfigError) as caught:
        inject(faults, **body)
    assert caught.value.where == field
    assert faults.all() == ()


def test_row_shows_what_was_asked_and_what_is_left() -> None:
    faults = Faults(7)
    inject(faults, kind="delay_ms", value=100, match="order_query", account="main", count=2)
    verdicts(faults, Call(Match.ORDER_QUERY, "main", "GET /order"), 1)
    assert fault_row(faults.all()[0]) == {
        "id": 1, "venue": "bybit", "account": "main", "match": "order_query", "kind": "delay_ms", "value": "100",
        "left": 1, "probability": None, "landed": None, "hits": 1,
    }  # fmt: skip


def test_aims_are_the_contract() -> None:
    assert aims() == (
        "order_create", "order_query", "positions", "equity", "prices", "instruments", "leverage", "margin_mode",
        "stream", "any",
    )  # fmt: skip
