"""`--explain`: who ranks where, by which terms of the score, and what makes up each depth. For people, or JSON."""

from __future__ import annotations

import io
from collections.abc import Iterator
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from core.domain import plain
from core.state import dumps, format_instant
from signal_processors.bittensor_opinion import Opinion
from signal_processors.bittensor_polling import Judged
from signal_processors.bittensor_ranking import Ranked

WIDTH = 150
MAX_SHARES = 30


def table(judged: Judged) -> str:
    """The tables as text."""
    out = io.StringIO()
    console = Console(file=out, width=WIDTH, highlight=False, color_system=None, markup=False)
    counted = len(judged.ranking.ranked)
    console.print(f"As of {format_instant(judged.as_of)}: {counted} of {judged.traders} traders count.")
    console.print(f"{judged.metagraph}.")
    console.print(_traders(judged.ranking.ranked) if counted else "No trader counts.")
    for asset, opinion in judged.opinions.items():
        price = f" at {plain(opinion.price)}" if opinion.price is not None else ""
        console.print(f"\n{asset}: depth {plain(opinion.depth)}{price}")
        if opinion.shares:
            console.print(_shares(opinion))
    for line in _left_out(judged):
        console.print(line)
    return out.getvalue().rstrip()


def _traders(ranked: tuple[Ranked, ...]) -> Table:
    found = Table(title="Ranked traders", title_justify="left")
    for name in ("rank", "trader", "weight", "score", *ranked[0].terms, "n", "won", "return", "deepest", "Sharpe"):
        found.add_column(name, justify="left" if name == "trader" else "right", no_wrap=True)
    for one in ranked:
        figures = one.figures
        found.add_row(
            str(one.rank), short(one.trader.hotkey), f"{one.weight:.4f}", f"{one.score:.4f}",
            *(f"{term:.4f}" for term in one.terms.values()),
            str(figures.n), f"{figures.win_rate:.3f}", f"{figures.total:.4f}", f"{figures.drawdown:.4f}",
            f"{figures.sharpe:.3f}",
        )  # fmt: skip
    return found


def _shares(opinion: Opinion) -> Table:
    found = Table()
    for name in ("trader", "weight", "net", "contribution", "entry"):
        found.add_column(name, justify="left" if name == "trader" else "right", no_wrap=True)
    largest = sorted(opinion.shares, key=lambda share: -abs(share.contribution))
    for share in largest[:MAX_SHARES]:
        entry = "" if share.entry is None else f"{share.entry:.8g}"
        found.add_row(
            short(share.hotkey), f"{share.weight:.4f}", f"{share.net:+.4f}", f"{share.contribution:+.6f}", entry
        )
    if len(largest) > MAX_SHARES:
        rest = sum((share.contribution for share in largest[MAX_SHARES:]), Decimal(0))
        found.add_row(f"{len(largest) - MAX_SHARES} more", "", "", f"{rest:+.6f}", "")
    return found


def _left_out(judged: Judged) -> Iterator[str]:
    if judged.unregistered:
        yield f"\nNot registered any more: {', '.join(map(short, judged.unregistered))}"
    if judged.ranking.left_out:
        yield "\nLeft out:"
        for hotkey, why in judged.ranking.left_out.items():
            yield f"  {short(hotkey)}  {why}"


def short(hotkey: str) -> str:
    return hotkey if len(hotkey) <= 12 else f"{hotkey[:8]}…{hotkey[-3:]}"


def as_json(judged: Judged) -> str:
    """The same as one JSON object; decimals are texts."""
    return dumps(
        {
            "schema": 1,
            "as_of": format_instant(judged.as_of),
            "traders": judged.traders,
            "metagraph": judged.metagraph,
            "ranked": [_ranked(one) for one in judged.ranking.ranked],
            "left_out": dict(judged.ranking.left_out),
            "unregistered": list(judged.unregistered),
            "assets": {asset: _opinion(opinion) for asset, opinion in judged.opinions.items()},
        }
    )


def _ranked(one: Ranked) -> dict[str, object]:
    figures = one.figures
    return {
        "rank": one.rank,
        "hotkey": one.trader.hotkey,
        "weight": plain(one.weight),
        "score": plain(one.score),
        "terms": {name: plain(term) for name, term in one.terms.items()},
        "positions": figures.n,
        "win_rate": plain(figures.win_rate),
        "total": plain(figures.total),
        "drawdown": plain(figures.drawdown),
        "sharpe": plain(figures.sharpe),
        "consistency": plain(figures.consistency),
    }


def _opinion(opinion: Opinion) -> dict[str, object]:
    return {
        "depth": plain(opinion.depth),
        "price": None if opinion.price is None else plain(opinion.price),
        "contributions": [
            {
                "hotkey": share.hotkey,
                "weight": plain(share.weight),
                "net": plain(share.net),
                "contribution": plain(share.contribution),
                "entry": None if share.entry is None else plain(share.entry),
            }
            for share in opinion.shares
        ],
    }
