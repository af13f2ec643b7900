"""What BloFin's answers to a send prove. One table; everything that is not in it proves nothing.

Meanings are those of the official error page (https://docs.blofin.com, section Errors) in our own words. Codes come as
text: one for the whole answer and, for orders, one per order inside it (outer 1: all failed, 2: some did). A code
stands here only if it says that the request was refused before it could reach matching. Left out on purpose, so that
they are `Ambiguous`:

* 102002, 150003: a duplicate. An order with this id exists.
* 152407: the nonce was used within the last minute. Ours are used once, so something on the way may have repeated the
  request, and the first may have been taken.
* 500, 103013: errors of the server. 1, 2 without a code of the order itself.
* every HTTP status but 200: a gateway's answer says nothing about what it had passed on already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from account_processors.codecs.verdicts import ADD_MONEY, KEY, OURS, WAIT, Verdict, nobody_knows, verdicts
from account_processors.codecs.wire import Answer, Malformed, Row, text
from core.errors import Denied, OurFault, Rejected, Unavailable, VenueError

FIREWALL_S = 300.0
"""HTTP 403: five minutes (https://docs.blofin.com, Network Firewall Restrictions)."""
OK = "0"
ALL_FAILED = "1"
ORDER_GONE = frozenset({"102068", "1000"})
"""Nothing left to cancel: filled, cancelled, or unknown."""
UNKNOWN_INSTRUMENT = "152014"
SAYS_NOTHING_OF_AN_ORDER = frozenset({"152002", "152005", "102068", "1000", "400", "404"})
"""How a lookup by id may be answered where there is no such order. The documentation does not say, so this is no proof
of absence: the lists of orders decide."""

_ONE_WAY = "switch Position Mode to One-way on the venue's site"
_PLAIN_KEY = "create an API key of the type API Transaction, bound to no third party"

PROVEN: Mapping[str, Verdict] = {
    **verdicts(
        Unavailable,
        ("152405", "the request's time is more than a minute away from the venue's", "keep the clock synchronized"),
    ),
    **verdicts(
        Denied,
        ("401", "the signature is wrong", "check api_secret: it does not belong to api_key"),
        ("152401", "the API key does not exist here", "check that key and base_url belong together (live, demo)"),
        ("152402", "the API key has expired (keys that are bound to no address do after 90 days)", KEY),
        ("152404", "the key lacks the permission", "give it the rights Read and Trade"),
        ("152406", "the key is bound to other addresses", "add this machine's public address to the key"),
        ("152408", "the passphrase is wrong", "check api_passphrase"),
        ("152409", "the signature is wrong", "check api_secret: it does not belong to api_key"),
        ("152011", "the key does not take a broker's mark", _PLAIN_KEY),
        ("152012", "the key belongs to a broker and wants its mark, which the engine never sends", _PLAIN_KEY),
        ("152013", "the key is bound to a broker", _PLAIN_KEY),
        ("102089", "the account is in hedge mode", _ONE_WAY),
    ),
    **verdicts(
        OurFault,
        ("400", "the request is malformed", OURS),
        ("404", "there is no such endpoint", "check base_url"),
        ("405", "the endpoint does not take this method", OURS),
        ("406", "the request is not acceptable", OURS),
        ("152001", "a parameter is missing", OURS),
        ("152002", "a parameter is wrong", OURS),
        ("152003", "one of two parameters is missing", OURS),
        ("152004", "the body is not what the endpoint takes", OURS),
        ("152005", "a parameter is wrong or empty", OURS),
        ("152009", "the client id is not what the venue takes", OURS),
        ("152014", "there is no such contract", "remove the symbol from the weights"),
        ("152410", "the timestamp is not in milliseconds", OURS),
    ),
    **verdicts(
        Rejected,
        ("542", "the order is larger than the venue takes", "none: the engine reads the contract again"),
        ("102005", "the position is closed already", "none: the engine reads the position again"),
        ("102014", "the order is larger than a limit order may be", "none: the engine reads the contract again"),
        ("102015", "the order is larger than a market order may be", "none: the engine reads the contract again"),
        ("102022", "reduce-only would not reduce", "none: the engine reads the position again"),
        ("102064", "the price is outside the allowed band", WAIT),
        ("102065", "the price is outside the allowed band", WAIT),
        ("103003", "the available margin is too small", ADD_MONEY),
        ("150004", "the available balance is too small", ADD_MONEY),
        ("110006", "orders are open in cross margin", "cancel them; the engine then sets the leverage"),
        ("110019", "positions or orders are open", "close and cancel them, then it can be set"),
    ),
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """The outer object of every answer. `data` is whatever the endpoint answers with."""

    code: str
    message: str
    data: Any


def envelope(answer: Answer) -> Envelope:
    """Raises `Malformed` where the answer is not the venue's envelope."""
    if answer.payload is None:
        raise Malformed("the body is not one JSON object")
    return Envelope(_code(answer.payload), _words(answer.payload.get("msg")), answer.payload.get("data"))


def _code(row: Row) -> str:
    """`code` is text; server errors are seen with a number."""
    code = row.get("code")
    if isinstance(code, bool) or not isinstance(code, str | int) or code == "":
        raise Malformed("code is missing")
    return str(code)


def _words(message: object) -> str:
    return " ".join(message.split())[:200] if isinstance(message, str) else ""


def _of_one(seen: Envelope) -> tuple[Envelope, Row | None]:
    """What an answer about one order says of it: the order's own code where it has one, and its row."""
    items = seen.data if isinstance(seen.data, list) else [seen.data]
    found = [item for item in items if isinstance(item, dict) and item]
    if len(found) > 1:
        raise Malformed("the answer is about more than one order")
    if not found:
        return seen, None
    row = found[0]
    if seen.code not in (OK, ALL_FAILED) or row.get("code") in (None, "", OK):
        return seen, row
    if row.get("orderId"):
        raise Malformed("the answer names an order and refuses it")
    return Envelope(_code(row), _words(row.get("msg")) or seen.message, None), row


def order_id(answer: Answer, client_id: str) -> str:
    """The venue's id of an order it accepted; raises what the answer proves, `Ambiguous` where it proves nothing."""
    if answer.status != 200:
        raise nobody_knows(f"HTTP {answer.status}", client_id, str(answer.status))
    try:
        seen, row = _of_one(envelope(answer))
        if seen.code == OK:
            if row is None or text(row, "clientOrderId") != client_id:
                raise Malformed("the answer names another order")
            return text(row, "orderId")
    except Malformed as error:
        raise nobody_knows(str(error), client_id, "") from None
    if seen.code in PROVEN:
        raise proven(seen, answer)
    raise nobody_knows(_said(seen), client_id, seen.code)


def cancelled(answer: Answer, client_id: str) -> None:
    """Returns when the order is being cancelled or there is nothing left of it. A cancel may echo no client id."""
    if answer.status != 200:
        raise nobody_knows(f"HTTP {answer.status}", client_id, str(answer.status))
    try:
        seen, _ = _of_one(envelope(answer))
    except Malformed as error:
        raise nobody_knows(str(error), client_id, "") from None
    if seen.code == OK or seen.code in ORDER_GONE:
        return
    if seen.code in PROVEN:
        raise proven(seen, answer)
    raise nobody_knows(_said(seen), client_id, seen.code)


def read(answer: Answer) -> Row:
    """The payload of a good read. Raises `Denied`, or `Unavailable` for everything else that is not a good answer."""
    if answer.status == 401:
        raise Denied(f"{answer.place}: HTTP 401, the key was not accepted; {KEY}", "401")
    if answer.status == 403:
        why = "the venue's firewall refuses this address, mostly for its rate"
        raise Unavailable(f"{answer.place}: HTTP 403, {why}; the engine waits", "403", FIREWALL_S)
    try:
        seen = envelope(answer)
    except Malformed as error:
        what = f"{answer.place}: HTTP {answer.status}, {error}"
        raise Unavailable(what, str(answer.status), answer.retry_after_s) from None
    if answer.status == 200 and seen.code == OK and answer.payload is not None:
        return answer.payload
    verdict = PROVEN.get(seen.code)
    if verdict is not None and verdict.kind is Denied:
        raise proven(seen, answer)
    raise Unavailable(f"{answer.place}: HTTP {answer.status}, {_said(seen)}", seen.code, answer.retry_after_s)


def setting(answer: Answer) -> None:
    """Returns when a setting is as asked.

    Raises `Rejected`, `Denied`, `OurFault`, or `Unavailable` where nobody knows: settings are read back, so an unknown
    outcome is no danger.
    """
    if answer.status != 200:
        what = f"{answer.place}: HTTP {answer.status}; the engine reads the setting back"
        raise Unavailable(what, str(answer.status), answer.retry_after_s)
    try:
        seen = envelope(answer)
    except Malformed as error:
        raise Unavailable(f"{answer.place}: {error}; the engine reads the setting back") from None
    if seen.code == OK:
        return
    if seen.code in PROVEN:
        raise proven(seen, answer)
    raise Unavailable(f"{answer.place}: {_said(seen)}; the engine reads the setting back", seen.code)


def proven(seen: Envelope, answer: Answer) -> VenueError:
    """The error that a listed code is."""
    return PROVEN[seen.code].error(answer.place, _said(seen), seen.code, answer.retry_after_s)


def _said(seen: Envelope) -> str:
    return f"code {seen.code}: {seen.message}" if seen.message else f"code {seen.code}"
