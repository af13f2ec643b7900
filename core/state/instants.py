"""Instants as text, the one way: ISO-8601 in UTC with milliseconds and `Z`, and epoch seconds (float) inside.

Inside and outside agree to the millisecond: what was parsed formats back to itself, whatever it was read from.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_TEXT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9}))?(?:Z|([+-])([0-9]{2}):([0-9]{2}))"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_END_MS = 253_402_300_800_000
"""The first millisecond of the year 10000, which has no four-digit year."""


def parse_instant(text: str) -> float:
    """Epoch seconds of an ISO-8601 instant with a zone; digits below the millisecond are cut. Raises ValueError."""
    found = _TEXT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text[:40]!r} is not an instant like 2026-11-20T09:12:44.123Z")
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    fraction, sign, zone_hours, zone_minutes = found.groups()[6:]
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    if sign is not None:
        zone = timedelta(hours=int(zone_hours), minutes=int(zone_minutes))
        moment += -zone if sign == "+" else zone
    since = moment - _EPOCH
    milliseconds = (since.days * 86_400 + since.seconds) * 1000 + int((fraction or "0").ljust(3, "0")[:3])
    if milliseconds < 0:
        raise ValueError(f"{text!r} lies before 1970")
    return milliseconds / 1000


def format_instant(at: float) -> str:
    """`2026-11-20T09:12:44.123Z` of epoch seconds, rounded to the millisecond. Raises ValueError outside 1970-9999."""
    milliseconds = round(at * 1000)
    if not 0 <= milliseconds < _END_MS:
        raise ValueError(f"{at!r} is not an instant between 1970 and 9999")
    moment = _EPOCH + timedelta(milliseconds=milliseconds)
    return moment.isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def day_of(at: float) -> str:
    """The UTC day of epoch seconds, `2026-11-20`; the name of daily files."""
    return format_instant(at)[:10]
