"""What a venue's codes prove, as tables: the error each becomes, what happened, what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError

Proof = type[Rejected | Unavailable | Denied | OurFault]
C = TypeVar("C", int, str)

ADD_MONEY = "deposit, or lower weights or leverage"
WAIT = "the engine tries again; nothing to do unless it stays"
OURS = "a bug of the engine or a changed instrument: report it with this line"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a code proves: the error it becomes, what happened, and what to do about it."""

    kind: Proof
    what: str
    remedy: str

    def error(self, place: str, said: str, code: str, retry_after_s: float | None = None) -> VenueError:
        """The error itself; `said` are the venue's own words, `retry_after_s` is heeded where one may try again."""
        message = f"{place}: {self.what} ({said}); {self.remedy}"
        if self.kind is Unavailable:
            return Unavailable(message, code, retry_after_s)
        return self.kind(message, code)


def verdicts(kind: Proof, *rows: tuple[C, str, str]) -> dict[C, Verdict]:
    """Rows of code, what happened, remedy, all of one kind."""
    return {code: Verdict(kind, what, remedy) for code, what, remedy in rows}


def unknown(what: str, client_id: str, code: str) -> Ambiguous:
    """An order's answer that proves nothing."""
    return Ambiguous(
        f"nobody knows whether the venue took the order ({what}); the engine looks it up and does not send it again",
        client_id,
        code,
    )
