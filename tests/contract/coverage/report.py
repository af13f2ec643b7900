"""What of the recorded payloads is covered: every endpoint, and every field in which the simulated venue differs."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass

from tests.contract.coverage.shapes import ROOT, Difference, Exchange, Shapes, differences, exchanges

MODULES = (
    "tests.contract.coverage.bybit",
    "tests.contract.coverage.blofin",
    "tests.contract.coverage.kucoin",
    "tests.contract.coverage.mexc",
)
"""Each has `SHAPES`; a venue joins with a module and a line."""
PAGE = ROOT / "docs" / "venues" / "coverage.md"
HOW = {
    "less": "not sent by the simulator",
    "more": "documented, not recorded",
    "otherwise": "another JSON type",
}
HEAD = """# Coverage of recorded payloads

Real answers of the venues, recorded by others, are not part of the project; where they are on the machine, tests put
them beside the simulated venues' answers to the same questions, field by field, and through our codecs. A recorded
field must be there with the same JSON type; whatever differs is named below, and nothing else differs. This page is
written by `python -m tests.contract.coverage --write`; a test keeps it current.

"Read" are the answers our codec takes: the recorded one and the simulator's, by the same functions. Answers that are
served and not read are for clients that drive the simulator unmodified.
"""


@dataclass(frozen=True)
class Line:
    """One recorded exchange that is compared."""

    venue: str
    exchange: Exchange
    read: bool
    fields: int
    differences: tuple[Difference, ...]


def shapes() -> tuple[Shapes, ...]:
    return tuple(importlib.import_module(name).SHAPES for name in MODULES)


def present(one: Shapes) -> bool:
    """Whether the recordings are on this machine."""
    return one.place.is_dir()


def lines(one: Shapes) -> Iterator[Line]:
    from tests.contract.coverage.shapes import fields

    for exchange in exchanges(one):
        if exchange.name in one.answers:
            ours = one.answers[exchange.name]()
            found = differences(ours, exchange.answer, one.opaque)
            count = len({place for place, _ in fields(exchange.answer, one.opaque)})
            yield Line(one.venue, exchange, exchange.name in one.reads, count, tuple(found))


def page() -> str:
    """The whole report as Markdown."""
    parts = [HEAD]
    for one in shapes():
        compared = list(lines(one))
        total = len(exchanges(one))
        read = sum(line.read for line in compared)
        parts.append(
            f"## {one.venue}\n\n"
            f"{total} recorded endpoints, {len(compared)} served and compared, {read} of them read by the adapter's "
            f"codec; the others belong to products or functions nobody here uses.\n"
        )
        parts.append("| endpoint | recorded as | read | fields | differing |\n|---|---|---|---|---|")
        for line in sorted(compared, key=lambda line: (line.exchange.path, line.exchange.method)):
            mark = "yes" if line.read else ""
            cells = (f"`{line.exchange.endpoint}`", line.exchange.name, mark, str(line.fields), telling(line))
            parts.append(f"| {' | '.join(cells)} |")
        if one.aside:
            parts.append("\nServed, recorded, and not compared:\n")
            parts += [f"- {name}: {why}" for name, why in sorted(one.aside.items())]
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def telling(line: Line) -> str:
    told = []
    for how, words in HOW.items():
        places = sorted({short(one) for one in line.differences if one.how == how})
        if places:
            told.append(f"{words}: {', '.join(places)}")
    return "; ".join(told)


def short(one: Difference) -> str:
    """The field, and for another type what is sent where what was recorded."""
    place = one.place.lstrip(".")
    return f"`{place}` ({one.ours} for {one.theirs})" if one.how == "otherwise" else f"`{place}`"
