"""What Hyperliquid's answers to an action prove. One table; everything that is not in it proves nothing.

The venue has no codes, only sentences: one for the whole action (`status` is `err`), or one per order inside an answer
whose `status` is `ok`. This table is the only place where they are looked at. A sentence is known by its beginning; its
code is the "error type" of the official list where it has one
(https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/error-responses), else a name of ours. Sentences
outside that list are from the official SDK's issues and from answers of the venue as its users report them. Left out of
`PROVEN` on purpose, so that they are `Ambiguous`:

* DuplicateNonce: the nonce was used. Ours are used once, so something on the way may have repeated the request, and the
  first may have been taken.
* every HTTP status but 200: a gateway's answer says nothing about what it had passed on already.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from account_processors.codecs.hyperliquid import DATA
from account_processors.codecs.verdicts import ADD_MONEY, OURS, WAIT, Verdict, nobody_knows, verdicts
from account_processors.codecs.wire import Answer, Malformed, Row, integer, positive, table, text
from core.domain import OrderOutcome, OrderStatus
from core.errors import Denied, OurFault, Rejected, Unavailable, VenueError

RATE_S = 10.0
"""After a 429 that names no time, and between the requests of an address that has used up its own (section Rate limits:
one in ten seconds)."""
RATE = "TooManyRequests"
MISSING = "MissingOrder"
USED_NONCE = "DuplicateNonce"
OLD_NONCE = "NonceTooLow"
LATE = "Expired"

SENTENCES: Mapping[str, str] = MappingProxyType(
    {
        "Price must be divisible by tick size": "Tick",
        "Order must have minimum value of": "MinTradeNtl",
        "Insufficient margin to place order": "PerpMargin",
        "Reduce only order would increase position": "ReduceOnly",
        "Post only order would have immediately matched": "BadAloPx",
        "Order could not immediately match against any resting orders": "IocCancel",
        "Invalid TP/SL price": "BadTriggerPx",
        "No liquidity available for market order": "MarketOrderNoLiquidity",
        "Order would increase open interest while open interest is capped": "OpenInterestCap",
        "Order rejected due to price more aggressive than oracle": "TooAggressiveAtOpenInterestCap",
        "Order would increase open interest too quickly": "OpenInterestIncrease",
        "Order price too far from oracle": "Oracle",
        "Order price cannot be more than": "ReferencePrice",
        "Order would cause position to exceed margin tier limit": "PerpMaxPosition",
        "Order has zero size": "ZeroSize",
        "Order has invalid size": "InvalidSize",
        "Order has invalid price": "InvalidPrice",
        "Order was never placed, already canceled, or filled": MISSING,
        "Builder fee has not been approved": "Builder",
        "User or API Wallet": "UnknownWallet",
        "Must deposit before performing actions": "MustDeposit",
        "Vault not registered": "VaultNotRegistered",
        "Unable to recover signer": "Unrecoverable",
        "Action already expired": LATE,
        "Invalid nonce: nonce too low": OLD_NONCE,
        "Invalid nonce: nonce too high": "NonceTooHigh",
        "Invalid nonce: duplicate nonce": USED_NONCE,
        "Too many cumulative requests sent": RATE,
        "Cannot switch leverage type with open position": "LeverageType",
        "Isolated position does not have sufficient margin": "IsolatedMargin",
        "Cross position does not have sufficient margin": "CrossMargin",
        "Cross margin is not allowed for this asset": "IsolatedOnly",
        "Invalid leverage value": "LeverageRange",
    }
)
"""How a sentence begins -> its code."""

APPROVE = (
    "approve the API wallet of private_key at https://app.hyperliquid.xyz/API, or put the key of one that is approved "
    "into credentials.json"
)
_AGAIN = "none: the engine reads price and contract again"
_CLOCK = "nothing to do; the engine asks for the time again"

PROVEN: Mapping[str, Verdict] = {
    **verdicts(
        Unavailable,
        (LATE, "the action came after its end of validity and was not executed", WAIT),
        (OLD_NONCE, "the nonce is older than what the venue still takes", _CLOCK),
        ("NonceTooHigh", "the nonce is too far in the future", _CLOCK),
        (RATE, "the address has used up its requests and may send one in ten seconds", "trade, or reserve requests"),
    ),
    **verdicts(
        Denied,
        (
            "UnknownWallet",
            "the signature is that of no wallet that may act for this account",
            APPROVE,
        ),
        ("MustDeposit", "the account does not exist yet", "deposit USDC, and check wallet_address and private_key"),
        (
            "VaultNotRegistered",
            "vault_address is no vault or sub-account that this wallet may trade",
            "check vault_address in credentials.json",
        ),
    ),
    **verdicts(
        OurFault,
        ("Tick", "the price has too many digits", OURS),
        ("BadAloPx", "a post-only order would have matched", OURS),
        ("BadTriggerPx", "the trigger price is wrong", OURS),
        ("ZeroSize", "the order has no size", OURS),
        ("InvalidSize", "the size has too many decimals, or is too large", OURS),
        ("InvalidPrice", "the price is not what the venue takes", OURS),
        ("Builder", "the order names a builder, which the engine never does", OURS),
        ("Unrecoverable", "the signature is malformed", OURS),
    ),
    **verdicts(
        Rejected,
        (
            "MinTradeNtl",
            "the order is worth less than 10 USD, which the venue refuses for reductions too",
            "to be rid of so small a position, close it on the venue's site",
        ),
        ("PerpMargin", "the margin is too small", ADD_MONEY),
        ("ReduceOnly", "reduce-only would not reduce", "none: the engine reads the position again"),
        ("IocCancel", "nobody trades at this price", WAIT),
        ("MarketOrderNoLiquidity", "nobody trades", WAIT),
        ("OpenInterestCap", "the coin's open interest is at its cap: nothing is opened", WAIT),
        ("TooAggressiveAtOpenInterestCap", "the coin's open interest is at its cap", WAIT),
        ("OpenInterestIncrease", "the coin's open interest grows too fast", WAIT),
        ("Oracle", "the price is too far from the oracle's", _AGAIN),
        ("ReferencePrice", "the price is too far from the market", _AGAIN),
        ("PerpMaxPosition", "the position would exceed what this leverage allows", "lower the leverage or the weights"),
        ("LeverageType", "the margin mode changes only while the coin has no position", "close it, or keep the mode"),
        ("IsolatedMargin", "the position has too little margin for a lower leverage", "close it, or keep the leverage"),
        ("CrossMargin", "the account has too little margin for a lower leverage", ADD_MONEY),
        ("IsolatedOnly", "the coin knows isolated margin only", "set margin_mode isolated for it"),
        ("LeverageRange", "the leverage is outside what the coin takes", "lower the leverage"),
    ),
}


@dataclass(frozen=True, slots=True)
class Placed:
    """An accepted order; `outcome` None where it rests."""

    order_id: str
    outcome: OrderOutcome | None


def code_of(said: str) -> str:
    """The code of a sentence; an unknown one is its own."""
    words = re.sub(r"^Order [0-9]+: ", "", said)
    return next((code for begins, code in SENTENCES.items() if words.startswith(begins)), words[:80])


def _words(value: object) -> str:
    printable = "".join(letter if letter.isprintable() else "?" for letter in str(value))
    return " ".join(printable.split())[:200]


def _refusal(answer: Answer) -> str | None:
    """What the venue says against the whole action; None where it says ok. Raises `Malformed`."""
    row = _body(answer)
    if row.get("status") == "err":
        return _words(text(row, "response"))
    if row.get("status") != "ok":
        raise Malformed(f"status {_words(row.get('status'))[:40]!r}")
    return None


def _body(answer: Answer) -> Row:
    if answer.payload is None:
        raise Malformed("the body is not JSON")
    return table(answer.payload.get(DATA), "the answer")


def _status_of_one(answer: Answer, kind: str) -> Any:
    """What an answer about one order says of it: the only entry of `statuses`."""
    response = table(_body(answer).get("response"), "response")
    if response.get("type") != kind:
        raise Malformed(f"an answer of type {_words(response.get('type'))[:40]!r}")
    statuses = table(response.get("data"), "data").get("statuses")
    if not isinstance(statuses, list) or len(statuses) != 1:
        raise Malformed("the answer is not about one order")
    return statuses[0]


def placed(answer: Answer, client_id: str, contracts: Decimal, *, rests: bool) -> Placed:
    """The order as the venue accepted it; raises what the answer proves, `Ambiguous` where it proves nothing.

    `contracts` were ordered; an order that does not rest (IOC) is final with what it filled.
    """
    if answer.status != 200:
        raise nobody_knows(f"HTTP {answer.status}", client_id, str(answer.status))
    try:
        said = _refusal(answer)
        if said is None:
            status = _status_of_one(answer, "order")
            row = table(status, "the status")
            said = _words(text(row, "error")) if "error" in row else None
            if said is None:
                return _accepted(row, contracts, rests)
    except Malformed as error:
        raise nobody_knows(str(error), client_id, "") from None
    raise proven(said, answer, client_id)


def _accepted(row: Row, contracts: Decimal, rests: bool) -> Placed:
    if set(row) == {"resting"}:
        return Placed(str(integer(table(row["resting"], "resting"), "oid")), None)
    if set(row) != {"filled"}:
        raise Malformed(f"a status of {sorted(row)}")
    filled = table(row["filled"], "filled")
    size, order_id = positive(filled, "totalSz"), str(integer(filled, "oid"))
    if size > contracts:
        raise Malformed("more was filled than ordered")
    if rests and size < contracts:
        return Placed(order_id, None)
    return Placed(order_id, OrderOutcome(OrderStatus.DONE, size, average_price=positive(filled, "avgPx")))


def cancelled(answer: Answer, client_id: str) -> None:
    """Returns when the order is cancelled or there is nothing left of it."""
    if answer.status != 200:
        raise nobody_knows(f"HTTP {answer.status}", client_id, str(answer.status))
    try:
        said = _refusal(answer)
        if said is None:
            status = _status_of_one(answer, "cancel")
            if status == "success":
                return
            said = _words(text(table(status, "the status"), "error"))
    except Malformed as error:
        raise nobody_knows(str(error), client_id, "") from None
    if code_of(said) != MISSING:
        raise proven(said, answer, client_id)


def setting(answer: Answer) -> None:
    """Returns when a setting is as asked.

    Raises `Rejected`, `Denied`, `OurFault`, or `Unavailable` where nobody knows: settings are read back, so an unknown
    outcome is no danger.
    """
    unread = "the engine reads the setting back"
    if answer.status != 200:
        what = f"{answer.place}: HTTP {answer.status}; {unread}"
        raise Unavailable(what, str(answer.status), answer.retry_after_s)
    try:
        said = _refusal(answer)
        if said is None and table(_body(answer).get("response"), "response").get("type") != "default":
            raise Malformed("the answer is not that to a setting")
    except Malformed as error:
        raise Unavailable(f"{answer.place}: {error}; {unread}") from None
    if said is not None:
        code = code_of(said)
        if code in PROVEN:
            raise PROVEN[code].error(answer.place, said, code, _pause_s(code, answer))
        raise Unavailable(f"{answer.place}: {said}; {unread}", code)


def nonce_spent(answer: Answer) -> None:
    """Returns when no action with the nonce of a `noop` can be executed any more: this one was, or another one before,
    or the nonce is too old. Raises `Unavailable` where that is not proven."""
    why = f"HTTP {answer.status}"
    if answer.status == 200:
        try:
            why = _refusal(answer) or ""
        except Malformed as error:
            why = str(error)
        if not why or code_of(why) in (OLD_NONCE, USED_NONCE):
            return
    raise Unavailable(f"{answer.place}: whether the order can still land is not known ({why}); it is asked again")


def read(answer: Answer) -> Row:
    """The payload of a good read. Raises `Unavailable` for everything else: reads need no credentials."""
    if answer.status != 200 or answer.payload is None:
        why = "" if answer.status != 200 else ", the body is not JSON"
        pause_s = answer.retry_after_s or (RATE_S if answer.status == 429 else None)
        raise Unavailable(f"{answer.place}: HTTP {answer.status}{why}", str(answer.status), pause_s)
    return answer.payload


def proven(said: str, answer: Answer, client_id: str) -> VenueError:
    """The error that a listed sentence is; `Ambiguous` for any other."""
    code = code_of(said)
    if code in PROVEN:
        return PROVEN[code].error(answer.place, said, code, _pause_s(code, answer))
    return nobody_knows(said, client_id, code)


def _pause_s(code: str, answer: Answer) -> float | None:
    return answer.retry_after_s or (RATE_S if code == RATE else None)


def refused_for_rate(answer: Answer) -> bool:
    """Whether the address that acts has used up its own requests (an IP address is refused with HTTP 429)."""
    body = None if answer.payload is None else answer.payload.get(DATA)
    said = body.get("response") if isinstance(body, dict) and body.get("status") == "err" else None
    return isinstance(said, str) and code_of(said) == RATE
