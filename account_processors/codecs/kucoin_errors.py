"""What KuCoin Futures' answers to a send prove. One table; everything that is not in it proves nothing.

Meanings are those of the official error page (https://www.kucoin.com/docs-new/error-code, section Futures) in our own
words; 330005, 330008 and 330012 are from the venue's answers. A code stands here only if it says that the request was
refused before it could reach matching: the gateway, the key, the request or the account failed a check. The venue
writes a refusal with HTTP 200 or with 4xx, so those count alike; a 5xx or an answer that is not the venue's envelope
proves nothing, whatever it contains. Left out on purpose, so that they are `Ambiguous`:

* 300018: a duplicate. An order with this id exists.
* 100002, 300010, 500000: errors of the venue's own.
* 100004: the order cannot be cancelled (any more).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from account_processors.codecs.kucoin import HEDGE_REMEDY, UNSET_REMEDY
from account_processors.codecs.verdicts import ADD_MONEY, KEY, OURS, WAIT, Verdict, nobody_knows, verdicts
from account_processors.codecs.wire import Answer, Malformed, Row, table, text
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError

SUCCESS = "200000"
RATE = "429000"
BAD_TIME = "400002"
NO_PERMISSION = "400007"
NO_ORDER = "100001"
"""Of a lookup by id: no such order (its text is `error.getOrder.orderNotExist`). Of an order: a wrong parameter."""
ORDER_GONE = frozenset({NO_ORDER, "100004"})
"""Nothing left to cancel: unknown, or in a state in which it cannot be cancelled."""
HEDGED = "330012"
MODE_UNSET = "330011"
FAILED = "500000"
BAN_S = 30.0
"""A ban of the address by the gateway's front lasts 30 seconds (error 1015)."""
BUSY_S = 10.0
"""The business layer's own frequency limit blocks for ten seconds (200002)."""

PROVEN: Mapping[str, Verdict] = MappingProxyType(
    {
        **verdicts(
            Unavailable,
            (BAD_TIME, "the request's time is outside the venue's window", "keep this machine's clock synchronized"),
            ("200002", "the account asks too often", WAIT),
            (RATE, "the rate limit is used up", WAIT),
        ),
        **verdicts(
            Denied,
            ("40010", "orders are not allowed from this country or identity", "ask the venue's support"),
            (MODE_UNSET, UNSET_REMEDY, "nothing else to do"),
            (HEDGED, HEDGE_REMEDY, "nothing else to do"),
            ("400003", "the API key is not valid here", "check that key and base_url belong together"),
            ("400004", "the passphrase is wrong", "check api_passphrase: it was chosen with the key"),
            ("400005", "the signature is wrong", "check api_secret: it does not belong to api_key"),
            ("400006", "the key is bound to other addresses", "add this machine's public address to the key"),
            (NO_PERMISSION, "the key lacks the permission", f"give it the rights General and Futures, or {KEY}"),
            ("400500", "the venue does not serve this country", "ask the venue's support"),
            ("411100", "the account is frozen", "ask the venue's support"),
        ),
        **verdicts(
            OurFault,
            (NO_ORDER, "a parameter of the request is wrong", OURS),
            ("100003", "a parameter of the contract is wrong", OURS),
            ("300000", "a parameter of the request is wrong", OURS),
            ("400001", "a header of the request is missing", OURS),
            ("404000", "there is no such endpoint", "check base_url"),
            ("415000", "the request's type is wrong", OURS),
        ),
        **verdicts(
            Rejected,
            ("200003", "the venue does not list the symbol", "remove it from the weights"),
            ("300001", "too many orders rest on this contract", "cancel orders made elsewhere"),
            ("300002", "order placement is suspended", WAIT),
            ("300003", "the available balance is too small", ADD_MONEY),
            ("300004", "too many stop orders rest on this contract", "cancel orders made elsewhere"),
            ("300005", "the position would exceed its risk limit", "lower the weight, or raise the risk limit"),
            ("300006", "the close price is beyond the bankruptcy price", WAIT),
            ("300007", "the price is worse than the liquidation price", "lower the leverage"),
            ("300008", "the market has no counterparty", WAIT),
            ("300009", "there is nothing to close", "none: the engine reads the position again"),
            ("300011", "the price is above the allowed band", WAIT),
            ("300012", "the price is below the allowed band", WAIT),
            ("300013", "the book has no counterparty", WAIT),
            ("300014", "the position is being liquidated", WAIT),
            ("300015", "the contract is being settled", WAIT),
            ("300016", "the leverage is above the contract's maximum", "lower the leverage"),
            ("300017", "the position belongs to a game of the venue's", "close it on the venue's site"),
            ("330005", "the symbol is in the other margin mode", "none: the engine reads the mode again"),
            ("330008", "the position would exceed the largest one", "lower the weight of this symbol"),
            ("400100", "a parameter is wrong, or the balance too small", f"{ADD_MONEY}; if that is not it: {OURS}"),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The outer object of every answer; `code` is a text of digits."""

    code: str
    message: str


def envelope(answer: Answer) -> Envelope:
    """Raises `Malformed` where the answer is not the venue's envelope."""
    if answer.payload is None:
        raise Malformed("the body is not one JSON object")
    code = answer.payload.get("code")
    if not isinstance(code, str) or not code.isdecimal():
        raise Malformed("code is missing")
    return Envelope(code, str(answer.payload.get("msg") or ""))


def accepted(answer: Answer, client_id: str) -> Row:
    """The `data` of an order or cancel the venue took; raises what the answer proves, `Ambiguous` where nothing."""
    seen = _unbroken(answer, client_id)
    if seen.code == SUCCESS and answer.status == 200 and answer.payload is not None:
        try:
            return table(answer.payload.get("data"), "data")
        except Malformed as error:
            raise nobody_knows(str(error), client_id, "") from None
    if seen.code in PROVEN and answer.status < 500:
        raise proven(seen, answer)
    raise nobody_knows(_said(seen), client_id, seen.code)


def _unbroken(answer: Answer, client_id: str) -> Envelope:
    try:
        return envelope(answer)
    except Malformed as error:
        code = "" if answer.status == 200 else str(answer.status)
        raise nobody_knows(f"HTTP {answer.status}, {error}", client_id, code) from None


def order_id(answer: Answer, client_id: str) -> str:
    """The venue's id of an order it accepted. Older answers do not repeat our id."""
    data = accepted(answer, client_id)
    try:
        if data.get("clientOid") not in (None, client_id):
            raise Malformed("the answer names another order")
        return text(data, "orderId")
    except Malformed as error:
        raise nobody_knows(str(error), client_id, "") from None


def cancelled(answer: Answer, client_id: str) -> None:
    """Returns when the order is being cancelled or there is nothing left of it."""
    try:
        accepted(answer, client_id)
    except (Ambiguous, OurFault) as error:
        if error.code not in ORDER_GONE or answer.status >= 500:
            raise


def read(answer: Answer) -> Row:
    """The payload of a read. Raises `Denied`, or `Unavailable` for everything else that is not a good answer."""
    try:
        seen = envelope(answer)
    except Malformed as error:
        what = f"{answer.place}: HTTP {answer.status}, {error}"
        raise Unavailable(what, str(answer.status), answer.retry_after_s) from None
    if answer.status == 200 and seen.code == SUCCESS and answer.payload is not None:
        return answer.payload
    verdict = PROVEN.get(seen.code)
    if verdict is not None and verdict.kind is Denied and answer.status < 500:
        raise proven(seen, answer)
    retry_after_s = BUSY_S if seen.code == "200002" else answer.retry_after_s
    raise Unavailable(f"{answer.place}: HTTP {answer.status}, {_said(seen)}", seen.code, retry_after_s)


def found(answer: Answer) -> Row | None:
    """The `data` of a lookup of one order; None where the venue says that there is no such order."""
    try:
        payload = read(answer)
    except Unavailable as error:
        if error.code == NO_ORDER and answer.status < 500:
            return None
        raise
    data = payload.get("data")
    if data is None:
        return None
    try:
        return table(data, "data")
    except Malformed as error:
        raise Unavailable(f"{answer.place}: the answer is unusable, so it counts as none ({error})") from None


def setting(answer: Answer) -> None:
    """Returns when a setting was made. The venue takes one that is as asked already.

    Raises `Rejected`, `Denied`, `OurFault`, or `Unavailable` where nobody knows: settings are read back, so an unknown
    outcome is no danger. For the same reason any other code is taken for a refusal: the venue documents none for these.
    """
    try:
        seen = envelope(answer)
    except Malformed as error:
        what = f"{answer.place}: HTTP {answer.status}, {error}; the engine reads the setting back"
        raise Unavailable(what, str(answer.status), answer.retry_after_s) from None
    if seen.code == SUCCESS and answer.status == 200:
        return
    if seen.code in PROVEN and answer.status < 500:
        raise proven(seen, answer)
    if answer.status < 500 and seen.code != FAILED:
        raise Rejected(f"{answer.place}: {_said(seen)}; close positions and orders of the symbol, then try", seen.code)
    raise Unavailable(f"{answer.place}: {_said(seen)}; the engine reads the setting back", seen.code)


def proven(seen: Envelope, answer: Answer) -> VenueError:
    """The error that a listed code is."""
    retry_after_s = BUSY_S if seen.code == "200002" else answer.retry_after_s
    return PROVEN[seen.code].error(answer.place, _said(seen), seen.code, retry_after_s)


def _said(seen: Envelope) -> str:
    words = " ".join(seen.message.split())[:200]
    return f"code {seen.code}: {words}" if words else f"code {seen.code}"
