"""Faults in JSON: the body of `POST /_sim/faults` checked field by field, and the rows of `GET /_sim/faults`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from decimal import Decimal

from core.domain import plain
from core.errors import ConfigError
from core.state import fields
from simulator.facades import Match
from simulator.faults import ANY, ENDINGS, MAX_DELAY_MS, MESSAGE_KINDS, ON_STREAMS, Fault, Kind, aims

KNOWN = ("venue", "account", "match", "kind", "value", "count", "probability", "landed")
MAX_COUNT = 1_000_000
MAX_GARBAGE = 4_096
NUMBERS: Mapping[Kind, tuple[int, int, bool]] = {
    Kind.DELAY_MS: (0, MAX_DELAY_MS, True),
    Kind.STALE_POSITIONS_MS: (0, MAX_DELAY_MS, True),
    Kind.DUPLICATE: (1, 2, False),
    Kind.STATUS: (200, 599, False),
    Kind.PARTIAL_FILL: (0, 1, False),
    Kind.HANG: (0, MAX_DELAY_MS, False),
    Kind.WS_GAP: (1, MAX_COUNT, False),
    Kind.WS_DUPLICATE: (1, MAX_COUNT, False),
}
"""Kinds whose value is a number: lowest, highest, whether it must be given."""
WHOLE = (Kind.STATUS, Kind.DUPLICATE, *MESSAGE_KINDS)
LANDING_CHOSEN = {kind for kind, (_, lands) in ENDINGS.items() if lands is not None} | {Kind.DELAY_MS}


def fault_from(body: Mapping[str, object], venue: str, accounts: Collection[str]) -> Callable[[int], Fault]:
    """The fault a body describes, waiting for its id. Raises `ConfigError` naming the field."""
    for name in body:
        if name not in KNOWN:
            raise ConfigError(name, f"is not known here; known are {', '.join(KNOWN)}")
    account = body.get("account")
    if account is not None and account not in accounts:
        raise ConfigError("account", f"must be one of {', '.join(accounts)}")
    match = fields.text(fields.required(body, "match", ""), "match")
    if match not in aims():
        raise ConfigError("match", f"is {match[:40]!r}; it must be one of {', '.join(aims())}")
    kind = _kind(body, match)
    left, probability = _how_often(body)
    value, landed = _value(body.get("value"), kind), _landed(body.get("landed"), kind)
    if landed is not None and match == Match.STREAM:
        raise ConfigError("landed", "means nothing on a stream; leave it out")
    return lambda number: Fault(
        id=number,
        venue=venue,
        match=match,
        kind=kind,
        account=None if account is None else str(account),
        value=value,
        left=left,
        probability=probability,
        landed=landed,
    )


def fault_row(fault: Fault) -> Mapping[str, object]:
    value = fault.value
    return {
        "id": fault.id,
        "venue": fault.venue,
        "account": fault.account,
        "match": fault.match,
        "kind": fault.kind.value,
        "value": plain(value) if isinstance(value, Decimal) else value,
        "left": fault.left,
        "probability": None if fault.probability is None else plain(fault.probability),
        "landed": fault.landed,
        "hits": fault.hits,
    }


def _kind(body: Mapping[str, object], match: str) -> Kind:
    text = fields.text(fields.required(body, "kind", ""), "kind")
    if text not in list(Kind):
        raise ConfigError("kind", f"is {text[:40]!r}; it must be one of {', '.join(Kind)}")
    kind = Kind(text)
    if kind in MESSAGE_KINDS and match not in (Match.STREAM, ANY):
        raise ConfigError("kind", f"{text} acts on streams alone; aim it at {Match.STREAM.value}")
    if match == Match.STREAM and kind not in ON_STREAMS:
        raise ConfigError("kind", f"{text} does nothing to a stream; there act {', '.join(sorted(ON_STREAMS))}")
    return kind


def _how_often(body: Mapping[str, object]) -> tuple[int | None, Decimal | None]:
    """Hits left (None: until deleted) and probability (None: every time)."""
    probability = None
    if body.get("probability") is not None:
        probability = fields.decimal(body["probability"], "probability")
        if not 0 <= probability <= 1:
            raise ConfigError("probability", f"must be within 0 and 1, not {probability}")
    count = fields.whole(body.get("count", 1 if probability is None else 0), "count")
    if count > MAX_COUNT:
        raise ConfigError("count", f"must be at most {MAX_COUNT}; 0 means until it is deleted")
    return count or None, probability


def _value(value: object, kind: Kind) -> Decimal | str | None:
    if kind is Kind.REJECT_CODE:
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if not isinstance(value, str) or not value:
            raise ConfigError("value", f"must be the venue's code to refuse with, not {value!r}")
        return value
    if kind is Kind.GARBAGE and value is not None:
        return fields.text(value, "value")[:MAX_GARBAGE]
    if kind not in NUMBERS:
        if value is not None and not (kind is Kind.ACCEPT_DUPLICATE_IDS and value is True):
            raise ConfigError("value", f"is not used by {kind}; leave it out")
        return None
    low, high, must = NUMBERS[kind]
    if value is None:
        if must:
            raise ConfigError("value", f"is missing; {kind} needs a number within {low} and {high}")
        return None
    found = fields.decimal(value, "value")
    if not low <= found <= high or (kind in WHOLE and found % 1):
        raise ConfigError("value", f"must be a number within {low} and {high} for {kind}, not {value}")
    return found


def _landed(value: object, kind: Kind) -> bool | None:
    if value is None:
        return None
    if not isinstance(value, bool):
        raise ConfigError("landed", "must be true or false")
    if kind not in LANDING_CHOSEN:
        raise ConfigError("landed", f"is fixed for {kind}; leave it out")
    return value
