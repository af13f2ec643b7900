"""What ccxt's exceptions prove, by the names of their classes.

An exception proves something about an order only if ccxt raised it for a code that stands in the exchange's own exact
table (`code` is that code), not for words found in a message, not for an HTTP status, and not for want of anything
better. Even then a class proves a refusal only if it means that the request never reached matching. Everything else
is `Ambiguous`. Words are used in one direction only: what sounds like an order that exists is not taken for a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from account_processors.codecs.verdicts import ADD_MONEY, KEY, OURS, WAIT, Verdict, nobody_knows, verdicts
from core.errors import Denied, OurFault, Rejected, Unavailable, VenueError

ABSENT = "OrderNotFound"
NO_CHANGE = "NoChange"
SOUNDS_TAKEN = re.compile(r"duplic|exist|repeat|already", re.IGNORECASE)
MAX_WORDS = 200

PROVEN: Mapping[str, Verdict] = {
    **verdicts(
        Unavailable,
        ("RateLimitExceeded", "the exchange's rate limit was met", WAIT),
    ),
    **verdicts(
        Denied,
        ("PermissionDenied", "the key lacks a permission", "give it the rights to read and to trade futures"),
        ("AuthenticationError", "the key was not accepted", KEY),
    ),
    **verdicts(
        OurFault,
        ("BadSymbol", "the exchange knows no such contract", "remove the symbol from the weights"),
        ("ArgumentsRequired", "a parameter is missing", OURS),
        ("BadRequest", "a parameter is wrong", OURS),
        ("NotSupported", "ccxt does not do this on this exchange", OURS),
    ),
    **verdicts(
        Rejected,
        ("InsufficientFunds", "the available margin is too small", ADD_MONEY),
        ("InvalidOrder", "the exchange does not take this order", "none: the engine reads the position again"),
        ("OperationRejected", "the exchange refuses for now", WAIT),
    ),
}
UNPROVEN = frozenset({"DuplicateOrderId", "OrderNotFound", "OrderNotCached"})
"""Kinds of `InvalidOrder` that say nothing of an order just sent."""


def verdict(kinds: Sequence[str]) -> Verdict | None:
    """`kinds`: names of the exception's class and of those it comes from, nearest first."""
    for kind in kinds:
        if kind in UNPROVEN:
            return None
        if kind in PROVEN:
            return PROVEN[kind]
    return None


def of_order(
    kinds: Sequence[str], code: str, words: str, place: str, client_id: str, not_proof: frozenset[str]
) -> VenueError:
    """What an exception proves about an order that was sent."""
    found = verdict(kinds)
    if found is None or not code or code in not_proof or SOUNDS_TAKEN.search(words):
        return nobody_knows(_said(kinds, words), client_id, code)
    return found.error(place, _said(kinds, words), code)


def of_read(kinds: Sequence[str], code: str, words: str, place: str) -> VenueError:
    """`Denied` for a key that is refused, else `Unavailable`."""
    found = verdict(kinds)
    if found is not None and found.kind is Denied:
        return found.error(place, _said(kinds, words), code)
    return Unavailable(f"{place}: {_said(kinds, words)}", code)


def of_setting(kinds: Sequence[str], code: str, words: str, place: str) -> VenueError | None:
    """None: it is as asked. Settings are read back, so that an unknown outcome is no danger."""
    if NO_CHANGE in kinds:
        return None
    found = verdict(kinds)
    if found is None or not code:
        return Unavailable(f"{place}: {_said(kinds, words)}; the engine reads the setting back", code)
    return found.error(place, _said(kinds, words), code)


def _said(kinds: Sequence[str], words: str) -> str:
    return f"{kinds[0] if kinds else 'error'}: {' '.join(words.split())[:MAX_WORDS]}"
