"""What the error tables of all venues are made of: what a code proves, and the answer that proves nothing."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TypeVar

from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError

Code = TypeVar("Code", bound=Hashable)
Proof = type[Rejected | Unavailable | Denied | OurFault]

ADD_MONEY = "deposit, or lower weights or leverage"
WAIT = "the engine tries again; nothing to do unless it stays"
KEY = "create a trading key for this account and put it into credentials.json"
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


def verdicts(kind: Proof, *rows: tuple[Code, str, str]) -> dict[Code, Verdict]:
    """Part of a table: codes that all become `kind`, each with what happened and what to do."""
    return {code: Verdict(kind, what, remedy) for code, what, remedy in rows}


def nobody_knows(what: str, client_id: str, code: str) -> Ambiguous:
    """An order whose answer (`what` it was) proves nothing."""
    return Ambiguous(
        f"nobody knows whether the venue took the order ({what}); the engine looks it up and does not send it again",
        client_id,
        code,
    )
