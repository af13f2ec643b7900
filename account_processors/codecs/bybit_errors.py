"""What Bybit's answers to a send prove. One table; everything that is not in it proves nothing.

Meanings are those of the official error page (https://bybit-exchange.github.io/docs/v5/error, section UTA) in our own
words; 110074 is not on it, but in the venue's answers. A code stands here only if it says that the request was refused
before it could reach matching: the address, the key, the request or the account failed a check. Left out on purpose, so
that they are `Ambiguous`:

* 429, 10000, 10016, 10019: overload, time-out and server errors. The order may have been taken.
* 10014, 110072: a duplicate. An order with this id exists.
* 110005, 110079, 40004: an order or position is being processed.
* every HTTP status but 200: a gateway's answer says nothing about what it had passed on already.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from account_processors.codecs.verdicts import ADD_MONEY, KEY, OURS, WAIT, Verdict, nobody_knows, verdicts
from account_processors.codecs.wire import Answer, Malformed, Row, table, text
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable, VenueError

IP_BAN_S = 600.0
"""HTTP 403 lasts ten minutes (https://bybit-exchange.github.io/docs/v5/rate-limit)."""
LEVERAGE_NOT_MODIFIED = 110043
MARGIN_MODE_NOT_MODIFIED = 110026
POSITION_MODE_NOT_MODIFIED = 110025
ORDER_GONE = frozenset({110001, 110008, 110010})
"""Nothing left to cancel: unknown, completed, cancelled."""


PROVEN: Mapping[int, Verdict] = {
    **verdicts(
        Unavailable,
        (10002, "the request's time is outside the venue's window", "keep this machine's clock synchronized"),
        (10006, "the account's rate limit is used up", WAIT),
        (10009, "this address is banned for now", "stop other programs that use the venue from here"),
        (10018, "the address' rate limit is used up", "stop other programs that use the venue from here"),
    ),
    **verdicts(
        Denied,
        (10003, "the API key is not valid here", "check that key and base_url belong together (live, test, demo)"),
        (10004, "the signature is wrong", "check api_secret: it does not belong to api_key"),
        (10005, "the key lacks the permission", "give it the rights to read and trade contracts (orders, positions)"),
        (10007, "the key was not accepted", KEY),
        (10008, "the account is banned or in another mode", "look at the account's mode on the venue's site"),
        (10010, "the key is bound to other addresses", "add this machine's public address to the key"),
        (10024, "compliance rules forbid it", "ask the venue's support"),
        (10027, "trading is banned for this account", "ask the venue's support"),
        (10028, "the account is not a unified trading account", "upgrade it to a unified trading account"),
        (33004, "the API key has expired", KEY),
        (110018, "the user is not valid", KEY),
        (110067, "the account type does not support it", "upgrade it to a unified trading account"),
        (110069, "institutional loan accounts may not trade this", "use another account"),
        (110088, "the account is not a unified trading account", "upgrade it to a unified trading account"),
    ),
    **verdicts(
        OurFault,
        (10001, "a parameter of the request is wrong", f"set the account to one-way mode if it is not; else {OURS}"),
        (10017, "there is no such endpoint", "check base_url"),
        (110032, "the order is not valid", OURS),
    ),
    **verdicts(
        Rejected,
        (10029, "the symbol is not open to this key", "allow the symbol for the key, or remove it from the weights"),
        (110003, "the price is outside the allowed band", WAIT),
        (110004, "the wallet balance is too small", ADD_MONEY),
        (110006, "the assets cannot cover the position's margin", ADD_MONEY),
        (110007, "the available balance is too small", ADD_MONEY),
        (110011, "it would be liquidated at once", "lower the leverage"),
        (110012, "the available balance is too small", ADD_MONEY),
        (110013, "the risk limit forbids this leverage", "lower the leverage"),
        (110017, "reduce-only would not reduce", "none: the engine reads the position again"),
        (110020, "more than 500 orders are open", "cancel orders of other programs"),
        (110021, "the open-interest limit is reached", "lower the weight of this symbol"),
        (110022, "sizes of this symbol may not grow", "lower the weight of this symbol"),
        (110023, "this contract may only be reduced now", "see the venue's announcement of this symbol"),
        (110024, "a position is open", "close it before the position mode is switched"),
        (110028, "orders are open", "cancel them before the position mode is switched"),
        (110029, "hedge mode does not exist for this symbol", "none: one-way mode is what the engine needs"),
        (110036, "leverage cannot be changed in cross margin", "choose isolated margin, or set it on the venue's site"),
        (110038, "leverage cannot be changed in portfolio margin", "choose isolated or cross margin"),
        (110040, "the order would force a liquidation", "lower the leverage"),
        (110042, "the contract is about to be delivered: it may only be reduced", "remove the symbol from the weights"),
        (110044, "the available margin is too small", ADD_MONEY),
        (110045, "the wallet balance is too small", ADD_MONEY),
        (110051, "the balance does not cover the market's lowest price", ADD_MONEY),
        (110052, "the balance does not cover the order's price", ADD_MONEY),
        (110053, "the balance does not cover the market price", ADD_MONEY),
        (110063, "the contract is being settled", WAIT),
        (110066, "trading is not allowed at present", "see the venue's announcements"),
        (110073, "the margin mode could not be set", "close positions and orders, then try again"),
        (110074, "the contract is not live", "remove the symbol from the weights"),
        (110080, "assets are being liquidated for an institutional loan", "look at the account on the venue's site"),
        (110085, "the risk limit of this contract was changed", "confirm the new risk limit on the venue's site"),
        (110086, "the leverage is above that of the risk limit", "lower the leverage"),
        (110087, "the leverage is above that of the institutional loan", "lower the leverage"),
        (110089, "the highest risk limit is exceeded", "lower the weight of this symbol"),
        (110090, "the position would exceed its limit at this leverage", "lower the leverage or the weight"),
        (110094, "the order is worth less than the venue's minimum", "raise the weight, or leave it out"),
        (110095, "the contract is in its call auction", WAIT),
        (110098, "only resting orders are taken during the call auction", WAIT),
        (110103, "only post-only orders are taken at this stage", WAIT),
        (3400045, "the margin mode could not be set", "close positions and orders, then try again"),
        (3400139, "positions and orders exceed the risk limit", "lower the weight of this symbol"),
    ),
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """The outer object of every answer. `result` is empty where the venue sends none."""

    code: int
    message: str
    result: Row


def envelope(answer: Answer) -> Envelope:
    """Raises `Malformed` where the answer is not the venue's envelope."""
    if answer.payload is None:
        raise Malformed("the body is not one JSON object")
    code = answer.payload.get("retCode")
    if not isinstance(code, int) or isinstance(code, bool):
        raise Malformed("retCode is missing")
    result = answer.payload.get("result")
    return Envelope(code, str(answer.payload.get("retMsg", "")), table({} if result is None else result, "result"))


def order_id(answer: Answer, client_id: str) -> str:
    """The venue's id of an order it accepted; raises what the answer proves, `Ambiguous` where it proves nothing."""
    if answer.status != 200:
        raise nobody_knows(f"HTTP {answer.status}", client_id, str(answer.status))
    try:
        seen = envelope(answer)
        if seen.code == 0:
            if text(seen.result, "orderLinkId") != client_id:
                raise Malformed("the answer names another order")
            return text(seen.result, "orderId")
    except Malformed as error:
        raise nobody_knows(str(error), client_id, "") from None
    if seen.code in PROVEN:
        raise proven(seen, answer)
    raise nobody_knows(_said(seen), client_id, str(seen.code))


def cancelled(answer: Answer, client_id: str) -> None:
    """Returns when the order is being cancelled or there is nothing left of it."""
    try:
        order_id(answer, client_id)
    except Ambiguous as error:
        if error.code not in {str(code) for code in ORDER_GONE}:
            raise


def read(answer: Answer) -> Row:
    """The `result` of a read. Raises `Denied`, or `Unavailable` for everything else that is not a good answer."""
    if answer.status == 401:
        raise Denied(f"{answer.place}: HTTP 401, the key was not accepted; {KEY}", "401")
    if answer.status == 403:
        why = "this address is banned for its rate, or the venue does not serve it"
        raise Unavailable(f"{answer.place}: HTTP 403, {why}; the engine waits", "403", answer.retry_after_s or IP_BAN_S)
    try:
        seen = envelope(answer)
    except Malformed as error:
        what = f"{answer.place}: HTTP {answer.status}, {error}"
        raise Unavailable(what, str(answer.status), answer.retry_after_s) from None
    if answer.status == 200 and seen.code == 0:
        return seen.result
    verdict = PROVEN.get(seen.code)
    if verdict is not None and verdict.kind is Denied:
        raise proven(seen, answer)
    raise Unavailable(f"{answer.place}: HTTP {answer.status}, {_said(seen)}", str(seen.code), answer.retry_after_s)


def setting(answer: Answer, benign: Collection[int]) -> None:
    """Returns when a setting is as asked, "not modified" included.

    Raises `Rejected`, `Denied`, `OurFault`, or `Unavailable` where nobody knows: settings are read back, so an unknown
    outcome is no danger.
    """
    if answer.status == 200:
        try:
            seen = envelope(answer)
        except Malformed as error:
            raise Unavailable(f"{answer.place}: {error}; the engine reads the setting back") from None
        if seen.code == 0 or seen.code in benign:
            return
        if seen.code in PROVEN:
            raise proven(seen, answer)
        raise Unavailable(f"{answer.place}: {_said(seen)}; the engine reads the setting back", str(seen.code))
    what = f"{answer.place}: HTTP {answer.status}; the engine reads the setting back"
    raise Unavailable(what, str(answer.status), answer.retry_after_s)


def proven(seen: Envelope, answer: Answer) -> VenueError:
    """The error that a listed code is."""
    retry_after_s = IP_BAN_S if seen.code == 10009 else answer.retry_after_s
    return PROVEN[seen.code].error(answer.place, _said(seen), str(seen.code), retry_after_s)


def _said(seen: Envelope) -> str:
    reasons = [str(reason.get("reasonMsg")) for reason in _reasons(seen.result)]
    words = " ".join(" ".join([seen.message, *reasons]).split())[:200]
    return f"code {seen.code}: {words}" if words else f"code {seen.code}"


def _reasons(result: Row) -> list[Row]:
    """Set-margin-mode explains itself in `result.reasons[]`."""
    given = result.get("reasons")
    return [reason for reason in given if isinstance(reason, dict)] if isinstance(given, list) else []
