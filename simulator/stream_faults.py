"""PURE: what faults do to a message of an open stream. Which fault strikes when is decided in `faults`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from simulator.faults import ENDINGS, HANG_S, Ending, Fault, Kind, number


@dataclass(frozen=True, slots=True)
class Parcel:
    """What becomes of a message: how often it arrives, how much later, and how it looks.

    `ending`: the connection ends, before the message if no copy of it arrives, else after it. `hang_s`: from now on
    nothing comes for so long, and this message never does. `in_a_row`: how many messages share this fate.
    """

    copies: int = 1
    late_s: float = 0.0
    cut: bool = False
    garbage: str | None = None
    """What a cut message is replaced with; None: its own first half."""
    empty: bool = False
    ending: Ending | None = None
    hang_s: float | None = None
    in_a_row: int = 1

    def shown(self, text: str) -> str:
        """The message as it arrives. Half of a JSON document is never one."""
        if self.empty:
            return ""
        if not self.cut:
            return text
        return text[: len(text) // 2] if self.garbage is None else self.garbage


WHOLE = Parcel()


def packed(faults: Iterable[Fault]) -> Parcel:
    """What several faults amount to; of those that end a message or the connection there is at most one."""
    parcel = WHOLE
    for fault in faults:
        parcel = _struck(parcel, fault)
    return parcel


def _struck(parcel: Parcel, fault: Fault) -> Parcel:
    value = fault.value
    if fault.kind is Kind.DELAY_MS:
        return replace(parcel, late_s=parcel.late_s + float(number(fault) / 1000))
    if fault.kind in (Kind.WS_GAP, Kind.WS_DUPLICATE):
        copies = 0 if fault.kind is Kind.WS_GAP or not parcel.copies else 2
        return replace(parcel, copies=copies, in_a_row=int(value) if isinstance(value, Decimal) else 1)
    if fault.kind is Kind.HANG:
        return replace(parcel, hang_s=float(value / 1000) if isinstance(value, Decimal) else HANG_S)
    if fault.kind is Kind.GARBAGE:
        return replace(parcel, cut=True, garbage=value if isinstance(value, str) else None)
    if fault.kind is Kind.EMPTY:
        return replace(parcel, empty=True)
    shape, _ = ENDINGS[fault.kind]
    copies = parcel.copies if fault.kind is Kind.DROP_AFTER else 0
    return replace(parcel, ending=shape.ending, copies=copies)
