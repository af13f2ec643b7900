"""Which replies are believed: one that lost too many traders at once is not, unless it stays so. Pure.

A reply that lost more than `miner_loss_guard` of the traders of the last accepted one is not an opinion. It is accepted
once three replies in a row name the same traders: then the loss is no hiccup of the feed. An empty reply never is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

AGREEING = 3


@dataclass(frozen=True, slots=True)
class Guard:
    """What it knows: the traders of the last accepted reply, and how often in a row another set was named."""

    accepted: frozenset[str] = frozenset()
    disputed: frozenset[str] = frozenset()
    repeats: int = 0

    def judge(self, named: Collection[str], loss: Decimal) -> tuple[Guard, str]:
        """The guard after a reply, and why that reply is refused ('': it is accepted). `loss` is a share, 0 to 1."""
        found = frozenset(named)
        if not found:
            return self, "names no trader at all"
        gone = len(self.accepted - found)
        if gone <= loss * len(self.accepted):
            return Guard(found), ""
        repeats = self.repeats + 1 if found == self.disputed else 1
        if repeats >= AGREEING:
            return Guard(found), ""
        why = f"lost {gone} of the {len(self.accepted)} traders of the last accepted one, miner_loss_guard is {loss:f}"
        return Guard(self.accepted, found, repeats), f"{why} ({repeats} of {AGREEING} replies that agree)"

    def interrupted(self) -> Guard:
        """The guard after a reply that could not be read: those that agree must follow each other."""
        return Guard(self.accepted) if self.repeats else self
