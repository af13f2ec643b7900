"""What a mark is: of a broker, builder, partner, referrer or library, in a request or in a frame of a stream.

Knows nothing of what the adapters do against marks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from core.ports import Request, StreamRequest

MARK = re.compile(
    r".*(broker|builder|partner|referr?er|referral|affiliate|invite|rebate|integrator|ordertag|channelapi|ccxt).*"
    r"|source|inputsource|xsourcekey|tag|tags|remark|ref|agentcode|clientsource|useragent"
)
"""Names of headers, of query and body fields and of actions, in lower case, letters and digits only."""
WORDS = re.compile(r"ccxt|pybit|approvebuilderfee|setreferrer|createsubaccountreferral", re.IGNORECASE)
"""Values that name a product or an action in somebody's favour, wherever they stand."""
CLIENT_IDS = re.compile(r"orderlinkid|clientorderid|clientoid|externaloid|newclientorderid|clordid|cloid|clientid|c")
OURS = re.compile(r"(0x|t-)?[0-9a-f]*")
"""A client id of the engine: hex digits behind what the venue demands. A partner's begins with the partner's prefix."""


def marks_of(request: Request | StreamRequest) -> list[str]:
    """Everything in a request that is a mark, in words."""
    parts = urlsplit(request.url)
    found = [f"header {name}: {value}" for name, value in request.headers.items() if marked(name, value)]
    found += [f"query {name}={value}" for name, value in parse_qsl(parts.query, True) if marked(name, value)]
    found += [f"address {request.url}" for segment in parts.path.split("/") if marked(segment, segment)]
    return found if isinstance(request, StreamRequest) else found + marks_in(request.body.decode(errors="replace"))


def marks_in(text: str) -> list[str]:
    """The same of a body or a stream's frame: JSON, or a form."""
    try:
        leaves = list(inside("", json.loads(text)))
    except ValueError:
        leaves = parse_qsl(text, True)
    return [f"body {name}={value}" for name, value in leaves if marked(name, value)]


def inside(name: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every name with its value, however deep; a list's entries have the list's name."""
    if isinstance(value, Mapping):
        if name:
            yield name, ""
        for inner, item in value.items():
            yield from inside(inner, item)
    elif isinstance(value, list):
        for item in value:
            yield from inside(name, item)
        if not value:
            yield name, ""
    else:
        yield name, str(value)


def marked(name: str, value: str) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    foreign = CLIENT_IDS.fullmatch(plain) is not None and OURS.fullmatch(value) is None
    return MARK.fullmatch(plain) is not None or WORDS.search(value) is not None or foreign


def telling(request: Request | StreamRequest) -> list[str]:
    """The marks of a request, with where it was going."""
    return [f"{one} in a request to {urlsplit(request.url).path}" for one in marks_of(request)]
