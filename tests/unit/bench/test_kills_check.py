"""The judgement over a ledger: what it lets pass, and every kind of wrong books it must find."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from bench.kills_check import Alert, Findings, Terms, Unusable, check

BTC = "BTCUSDT"
TERMS = {BTC: Terms(Decimal(100), Decimal(1), Decimal("0.1"))}
"""10 000 of equity, wholly in: 1000 of notional, 10 lots."""
START = Decimal(10_000)


def alert(number: int, depth: str, at: float, *, acknowledged: bool = True) -> Alert:
    return Alert(f"a{number}", BTC, Decimal(depth), at, acknowledged)


def account(*steps: tuple[float, int], ids: list[str] | None = None, held: int | None = None) -> dict[str, Any]:
    """Books with one order and one fill per (instant, signed lots), at the mark and without fees."""
    fills, position = [], 0
    for at, lots in steps:
        position += lots
        fill = {"time": at, "symbol": BTC, "quantity": str(lots), "price": "100", "fee": "0"}
        fills.append(fill | {"position_after": str(position)})
    position = position if held is None else held
    return {
        "equity": "10000",
        "positions": {BTC: str(position)} if position else {},
        "orders": [{"client_id": one} for one in ids or [f"id{n}" for n in range(len(fills))]],
        "fills": fills,
        "dropped": {"orders": 0, "fills": 0},
    }


UP = [alert(1, "1", 1000.0)]
FLIP = [*UP, alert(2, "-0.5", 1010.0)]


def judged(books: dict[str, Any], alerts: list[Alert], raw: list[str] | None = None) -> Findings:
    return check(books, [a.event_id for a in alerts] if raw is None else raw, alerts, TERMS, START)


@pytest.mark.parametrize(
    ("books", "alerts"),
    [
        (account(), []),
        (account((1001.0, 4), (1002.0, 4), (1003.0, 2)), UP),
        (account((1001.0, 10), (1011.0, -10), (1012.0, -5)), FLIP),
        (account((1001.0, 10), (1011.0, -15)), FLIP),
        (account((1011.0, -5)), FLIP),
        (account((1001.0, 11), (1002.0, -1)), UP),
        (account((1001.0, 10), (1011.0, -4), (1021.0, -6)), [*UP, alert(2, "0.6", 1010.0), alert(3, "0", 1020.0)]),
    ],
    ids=["nothing", "chunks", "a flip", "a flip at once", "an alert skipped", "a lot above", "down and out"],
)
def test_good_books(books: dict[str, Any], alerts: list[Alert]) -> None:
    assert judged(books, alerts) == Findings(0, True, 0, 0, ())


@pytest.mark.parametrize(
    ("books", "alerts", "doubled"),
    [
        (account((1001.0, 10), (1002.0, 10), (1003.0, -10)), UP, 1),
        (account((1001.0, 10), (1002.0, 2), (1003.0, -2)), UP, 1),
        (account((999.0, 10)), UP, 1),
        (account((1001.0, -10), (1002.0, 20)), UP, 1),
        (account((1001.0, 10), (1011.0, -15), (1012.0, 15), (1013.0, -15)), FLIP, 1),
        (account((1001.0, 10), (1002.0, -5), (1003.0, 5)), UP, 1),
    ],
    ids=["twice", "two lots above", "before it was asked for", "the wrong side", "back to old", "a needless close"],
)  # fmt: skip
def test_fills_nobody_asked_for(books: dict[str, Any], alerts: list[Alert], doubled: int) -> None:
    found = judged(books, alerts)
    assert (found.duplicate_exposure, found.at_target, len(found.details)) == (doubled, True, doubled)


@pytest.mark.parametrize("held", [0, 9, 11, -5])
def test_a_position_that_is_not_the_target(held: int) -> None:
    found = judged(account((1001.0, 10), held=held), UP)
    assert not found.at_target
    assert "BTCUSDT holds" in found.details[0]


def test_a_position_without_any_alert() -> None:
    assert not judged(account(held=1), []).at_target


def test_an_acknowledged_alert_that_is_not_in_the_log() -> None:
    found = judged(account((1001.0, 10)), FLIP, ["a1"])
    assert found.acknowledged_lost == 1
    unanswered = [*UP, alert(2, "-0.5", 1010.0, acknowledged=False)]
    assert judged(account((1001.0, 10)), unanswered, ["a1"]) == Findings(0, True, 0, 0, ())
    assert not judged(account((1001.0, 10)), unanswered, ["a1", "a2"]).at_target, "durable without an answer counts"


@pytest.mark.parametrize("ids", [["x", "x"], ["x", None]])
def test_a_client_id_that_recurs_or_is_none_of_ours(ids: list[str]) -> None:
    assert judged(account((1001.0, 5), (1002.0, 5), ids=ids), UP).client_ids_reused == 1


def test_equity_follows_the_fills_and_sizes_follow_equity() -> None:
    """Half the equity is lost with the first alert's fills: the second one's size is half as well."""
    books = account((1001.0, 10), (1101.0, -5))
    books["fills"][0]["fee"], books["equity"] = "5000", "5000"
    assert judged(books, [*UP, alert(2, "1.0", 1100.0)]).at_target
    books = account((1001.0, 10))
    books["fills"][0]["fee"], books["equity"] = "5000", "5000"
    assert not judged(books, [*UP, alert(2, "1.0", 1100.0)]).at_target


def test_what_cannot_be_judged() -> None:
    forgetful = account((1001.0, 10)) | {"dropped": {"orders": 1, "fills": 0}}
    with pytest.raises(Unusable, match="forgot"):
        judged(forgetful, UP)
    with pytest.raises(Unusable, match="equity"):
        judged(account((1001.0, 10)) | {"equity": "9000"}, UP)
    with pytest.raises(Unusable, match="not sent"):
        judged(account((1001.0, 10)), UP, ["a1", "a7"])
