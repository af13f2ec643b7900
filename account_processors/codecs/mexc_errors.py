"""What MEXC's answers to a send prove. One table; everything that is not in it proves nothing.

Meanings are those of the official error page (https://www.mexc.com/api-docs/futures/error-code) in our own words. A
code stands here only if it says that the request was refused before it could reach matching. Left out on purpose, so
that they are `Ambiguous`:

* 2042: a duplicate. An order with this id exists.
* 603: a repeated request. Ours are sent once, so something on the way may have repeated it, and the first may stand.
* 6008: a success, by its text.
* 500, 501, 9999, 6022, 2056: errors of the venue's own, and a close of the venue's own that is under way.
* every HTTP status but 200: a gateway's answer says nothing about what it had passed on already.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from account_processors.codecs.mexc import HEDGE_REMEDY
from account_processors.codecs.mexc_orders import identity
from account_processors.codecs.verdicts import ADD_MONEY, KEY, OURS, WAIT, Verdict, nobody_knows, verdicts
from account_processors.codecs.wire import Answer, Malformed, Row, integer, rows, table
from core.errors import Denied, OurFault, Rejected, Unavailable, VenueError

OK = "0"
RATE = "510"
BAD_TIME = "513"
UNKNOWN_CONTRACT = "1001"
NO_ORDER = "2040"
ORDER_GONE = frozenset({NO_ORDER, "2041"})
"""Nothing left to cancel: unknown, or in a state in which it cannot be cancelled."""
NO_RIGHT = frozenset({"702", "704"})
"""The key may not change anything."""
CLOSED = frozenset({"511", "604", "801", "6001"})
"""The venue takes no orders from this account over the API now."""
BAN_S = 60.0
"""How long an address rests after HTTP 403 or 429 that names no time; the venue does not say."""
RATE_S = 2.0
"""The span of every published limit but one."""

_MENDS = "none: the engine reads the position again"
_LATER = "the engine tries again; if it stays, ask the venue's support"

PROVEN: Mapping[str, Verdict] = MappingProxyType(
    {
        **verdicts(
            Unavailable,
            (RATE, "the account asks too often", WAIT),
            (BAD_TIME, "the request's time is outside the venue's window", "keep this machine's clock synchronized"),
        ),
        **verdicts(
            Denied,
            ("401", "the API key is not valid here", "check that key and base_url belong together"),
            ("402", "the API key has expired (keys bound to no address do after 90 days)", KEY),
            ("406", "the key is bound to other addresses", "add this machine's public address to the key"),
            ("506", "the venue does not know where the request is from", KEY),
            ("511", "the key may not use this endpoint", "give it the futures rights View and Order Placing"),
            ("602", "the signature is wrong", "check api_secret: it does not belong to api_key"),
            ("701", "the key may not read the account", "give it the right View Account Details"),
            ("702", "the key may not change the account", "give it the right Order Placing"),
            ("703", "the key may not read orders and positions", "give it the right View Order Details"),
            ("704", "the key may not place orders", "give it the right Order Placing (it needs KYC)"),
            ("1000", "the account does not exist", "open a futures account on the venue's site"),
            ("6001", "trading is forbidden for this account", "ask the venue's support"),
            ("7002", HEDGE_REMEDY, "nothing else to do"),
            ("200005", "the account has not passed KYC", "complete it on the venue's site"),
            ("200006", "the account has not passed KYC and reached its limit", "complete it on the venue's site"),
            ("300002", "the venue does not serve this region", "ask the venue's support"),
        ),
        **verdicts(
            OurFault,
            ("600", "a parameter of the request is wrong", OURS),
            ("601", "the request could not be read", OURS),
            ("2001", "the order's direction is wrong", OURS),
            ("2002", "the order's open type is wrong", OURS),
            ("2022", "the position type is wrong", OURS),
            ("2029", "the order type is wrong", OURS),
            ("2030", "our order id is too long", OURS),
        ),
        **verdicts(
            Rejected,
            ("604", "this feature is under maintenance", _LATER),
            ("801", "the venue is under maintenance", WAIT),
            (UNKNOWN_CONTRACT, "the venue does not list the symbol", "remove it from the weights"),
            ("1002", "the contract is not activated", "remove it from the weights, or wait"),
            ("1003", "the risk limit level is wrong", "lower the weight of this symbol"),
            ("1004", "the amount is wrong", "none: the engine reads the contract again"),
            ("2003", "the price is above the allowed band", WAIT),
            ("2004", "the price is below the allowed band", WAIT),
            ("2005", "the available balance is too small", ADD_MONEY),
            ("2006", "the leverage is outside the contract's bounds", "lower the leverage"),
            ("2007", "the price is wrong", WAIT),
            ("2008", "too little can be closed", _MENDS),
            ("2009", "there is no position to reduce", _MENDS),
            ("2011", "the size is wrong", "none: the engine reads the contract again"),
            ("2015", "price or size has too many decimals", "none: the engine reads the contract again"),
            ("2018", "the margin is too small", ADD_MONEY),
            ("2019", "orders are open on the contract", "cancel orders made elsewhere"),
            ("2021", "the leverage is not that of the open position", _MENDS),
            ("2023", "the leverage is too high for the open positions", "lower the leverage"),
            ("2024", "the leverage is too high for the open orders", "lower the leverage"),
            ("2025", "the position would exceed what this leverage allows", "lower weight or leverage"),
            ("2026", "leverage in cross margin does not change under a position", "close the position first"),
            ("2027", "the open position is in the other margin mode", _MENDS),
            ("2028", "the order is larger than the venue takes", "none: the engine reads the contract again"),
            ("2031", "the position would exceed its risk limit", "lower the weight, or raise the limit on the site"),
            ("2032", "the price is worse than the liquidation price", "lower the leverage"),
            ("2033", "the price is worse than the liquidation price", "lower the leverage"),
            ("2036", "too many orders rest", "cancel orders made elsewhere"),
            ("2037", "the account trades too often", WAIT),
            ("2038", "the position would exceed the largest one", "lower the weight of this symbol"),
            ("2043", "the order does not fit the position", _MENDS),
            ("2044", "the margin is too small for this leverage", ADD_MONEY),
            ("2049", "the order might be liquidated at once", "lower the leverage"),
            ("2051", "the order is larger than the venue takes", "none: the engine reads the contract again"),
            ("2057", "the order is smaller than the venue takes", "raise the weight, or leave it"),
            ("5006", "something is open on the other side in the other margin mode", "close it"),
            ("6002", "the venue lets this account open nothing", "ask the venue's support"),
            ("6005", "the contract is not available", "remove it from the weights, or wait"),
            ("6009", "the venue lets this account open nothing", "ask the venue's support"),
            ("6020", "in multi-asset mode there is cross margin only", "switch to single-asset mode"),
            ("7001", "orders or positions are open", "close and cancel them, then it can be set"),
            ("7003", "the margin mode must be that of what is open", _MENDS),
            ("7004", "the leverage must be that of what is open", _MENDS),
            ("7005", "too little can be closed", "cancel closing orders made elsewhere"),
            ("7008", "the order is worth less than the venue takes", "raise the weight, or leave it"),
            ("7009", "the account's leverage is too high", ADD_MONEY),
            ("8012", "the available margin is too small", ADD_MONEY),
            ("8816", "the position would exceed what this leverage allows", "lower weight or leverage"),
            ("8819", "the position would exceed what this leverage allows", "lower weight or leverage"),
            ("8820", "the account has reached its position limit", "ask the venue's support"),
            ("8917", "reducing would leave too little margin for open orders", "cancel orders made elsewhere"),
            ("8919", "the account has reached its limit over all contracts", "lower the weights"),
            ("8920", "nothing can be opened on this contract now", WAIT),
            ("8921", "nothing can be closed on this contract now", WAIT),
            ("8922", "trading of this contract is suspended", WAIT),
            ("8930", "the contract is not listed yet", WAIT),
            ("8931", "the leverage is above what the region allows", "lower the leverage"),
            ("8932", "nothing can be opened on this contract now", WAIT),
            ("8934", "nothing can be opened on this contract now", WAIT),
            ("9068", "the market is closed", WAIT),
            ("9070", "the contract knows isolated margin only", "set margin_mode to isolated"),
            ("9071", "the contract knows cross margin only", "set margin_mode to cross"),
            ("9998", "in this region positions can only be closed", "ask the venue's support"),
        ),
    }
)


@dataclass(frozen=True, slots=True)
class Envelope:
    """The outer object of every answer; `code` as text."""

    success: bool
    code: str
    message: str


def envelope(answer: Answer) -> Envelope:
    """Raises `Malformed` where the answer is not the venue's envelope, or contradicts itself."""
    if answer.payload is None:
        raise Malformed("the body is not one JSON object")
    success, code = answer.payload.get("success"), answer.payload.get("code")
    if not isinstance(success, bool) or isinstance(code, bool) or not isinstance(code, int):
        raise Malformed("success or code is missing")
    if success != (code == 0):
        raise Malformed(f"success is {success} beside code {code}")
    message = answer.payload.get("message")
    return Envelope(success, str(code), " ".join(message.split())[:200] if isinstance(message, str) else "")


def accepted(answer: Answer, client_id: str) -> Row:
    """The payload of an order or cancel the venue took; raises what the answer proves, `Ambiguous` where nothing."""
    if answer.status != 200:
        raise nobody_knows(f"HTTP {answer.status}", client_id, str(answer.status))
    try:
        seen = envelope(answer)
    except Malformed as error:
        raise nobody_knows(str(error), client_id, "") from None
    if seen.success and answer.payload is not None:
        return answer.payload
    if seen.code in PROVEN:
        raise proven(seen, answer)
    raise nobody_knows(_said(seen), client_id, seen.code)


def order_id(answer: Answer, client_id: str) -> str:
    """The venue's id of an order it accepted: inside an object, or bare in older answers. Ours is not repeated."""
    payload = accepted(answer, client_id)
    try:
        return (
            identity(payload["data"], "orderId") if isinstance(payload.get("data"), dict) else identity(payload, "data")
        )
    except Malformed as error:
        raise nobody_knows(str(error), client_id, "") from None


def cancelled(answer: Answer, client_id: str) -> None:
    """Returns when the order is being cancelled or there is nothing left of it."""
    payload = accepted(answer, client_id)
    try:
        (row,) = rows(payload, "data")
        code = str(integer(row, "errorCode"))
    except (Malformed, ValueError) as error:
        raise nobody_knows(f"the answer to a cancel is unusable ({error})", client_id, "") from None
    if code == OK or code in ORDER_GONE:
        return
    seen = Envelope(False, code, str(row.get("errorMsg") or ""))
    if code in PROVEN:
        raise proven(seen, answer)
    raise nobody_knows(_said(seen), client_id, code)


def read(answer: Answer) -> Row:
    """The payload of a read. Raises `Denied`, or `Unavailable` for everything else that is not a good answer."""
    if answer.status == 401:
        raise Denied(f"{answer.place}: HTTP 401, the key was not accepted; {KEY}", "401")
    try:
        seen = envelope(answer)
    except Malformed as error:
        what = f"{answer.place}: HTTP {answer.status}, {error}"
        raise Unavailable(what, str(answer.status), answer.retry_after_s) from None
    if answer.status == 200 and seen.success and answer.payload is not None:
        return answer.payload
    verdict = PROVEN.get(seen.code)
    if verdict is not None and verdict.kind is Denied and answer.status == 200:
        raise proven(seen, answer)
    retry_after_s = RATE_S if seen.code == RATE else answer.retry_after_s
    raise Unavailable(f"{answer.place}: HTTP {answer.status}, {_said(seen)}", seen.code, retry_after_s)


def found(answer: Answer) -> Row | None:
    """The order of a lookup by our id; None where the venue says, or shows, that it has none."""
    try:
        payload = read(answer)
    except Unavailable as error:
        if error.code == NO_ORDER and answer.status == 200:
            return None
        raise
    data = payload.get("data")
    if data in (None, {}, [], ""):
        return None
    try:
        return table(data, "data")
    except Malformed as error:
        raise Unavailable(f"{answer.place}: the answer is unusable, so it counts as none ({error})") from None


def setting(answer: Answer) -> None:
    """Returns when a setting is as asked.

    Raises `Rejected`, `Denied`, `OurFault`, or `Unavailable` where nobody knows: settings are read back, so an unknown
    outcome is no danger.
    """
    try:
        seen = envelope(answer)
        if answer.status != 200:
            raise Malformed(f"HTTP {answer.status}")
    except Malformed as error:
        what = f"{answer.place}: HTTP {answer.status}, {error}; the engine reads the setting back"
        raise Unavailable(what, str(answer.status), answer.retry_after_s) from None
    if seen.success:
        return
    if seen.code in PROVEN:
        raise proven(seen, answer)
    raise Unavailable(f"{answer.place}: {_said(seen)}; the engine reads the setting back", seen.code)


def proven(seen: Envelope, answer: Answer) -> VenueError:
    """The error that a listed code is."""
    retry_after_s = RATE_S if seen.code == RATE else answer.retry_after_s
    return PROVEN[seen.code].error(answer.place, _said(seen), seen.code, retry_after_s)


def _said(seen: Envelope) -> str:
    return f"code {seen.code}: {seen.message}" if seen.message else f"code {seen.code}"
