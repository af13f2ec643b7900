"""One message of a price stream, whatever the venue: what every codec makes of its own."""

from __future__ import annotations

from dataclasses import dataclass

from account_processors.codecs.wire import Row


@dataclass(frozen=True, slots=True)
class Ticker:
    """What one message says about one symbol, in the venue's fields.

    `whole`: `row` is everything there is to say, else only what changed. `made_s`: the venue's epoch seconds. A venue
    that tells of a symbol in several topics tells of several `part`s; each is in order by itself, together they are
    what is known.
    """

    symbol: str
    whole: bool
    row: Row
    made_s: float
    part: str = ""
