"""Hyperliquid's refusals: sentences, by the "error type" the documentation calls them by.

Source: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/error-responses; those without a type there
are called as the adapter calls them, their words are those that users of the venue report.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.model import Reason

OF_AN_ORDER: Mapping[str, str] = {
    "Tick": "Price must be divisible by tick size.",
    "MinTradeNtl": "Order must have minimum value of $10.",
    "PerpMargin": "Insufficient margin to place order.",
    "ReduceOnly": "Reduce only order would increase position.",
    "BadAloPx": "Post only order would have immediately matched, bbo was 0@0.",
    "IocCancel": "Order could not immediately match against any resting orders.",
    "BadTriggerPx": "Invalid TP/SL price.",
    "MarketOrderNoLiquidity": "No liquidity available for market order.",
    "OpenInterestCap": "Order would increase open interest while open interest is capped",
    "TooAggressiveAtOpenInterestCap": (
        "Order rejected due to price more aggressive than oracle while at open interest cap"
    ),
    "OpenInterestIncrease": "Order would increase open interest too quickly",
    "Oracle": "Order price too far from oracle",
    "ReferencePrice": "Order price cannot be more than 80% away from the reference price",
    "PerpMaxPosition": "Order would cause position to exceed margin tier limit at current leverage",
    "ZeroSize": "Order has zero size.",
    "InvalidSize": "Order has invalid size.",
    "InvalidPrice": "Order has invalid price.",
    "Builder": "Builder fee has not been approved.",
}
"""Stand beside the order they refuse, with its asset."""
MISSING = "Order was never placed, already canceled, or filled."
RATE = (
    "Too many cumulative requests sent ({used} > {cap}) for cumulative volume traded ${traded}. Place taker orders to "
    "free up 1 request per USDC traded."
)
EXPIRED = "Action already expired"
LEVERAGE_TYPE = "Cannot switch leverage type with open position."
ISOLATED_MARGIN = (
    "Isolated position does not have sufficient margin available to decrease leverage. To decrease leverage, add "
    "margin to the position."
)
CROSS_MARGIN = (
    "Cross position does not have sufficient margin available to decrease leverage. To decrease leverage, deposit more "
    "collateral."
)
LEVERAGE_RANGE = "Invalid leverage value"
UNRECOVERABLE = "Unable to recover signer."
OF_AN_ACTION: Mapping[str, str] = {
    "UnknownWallet": "User or API Wallet 0x0000000000000000000000000000000000000001 does not exist.",
    "MustDeposit": "Must deposit before performing actions. User: 0x0000000000000000000000000000000000000001",
    "VaultNotRegistered": "Vault not registered: 0x0000000000000000000000000000000000000001",
    "Unrecoverable": UNRECOVERABLE,
    "Expired": EXPIRED,
    "NonceTooLow": "Invalid nonce: nonce too low 1 < 2",
    "NonceTooHigh": "Invalid nonce: nonce too high 2 > 1",
    "DuplicateNonce": "Invalid nonce: duplicate nonce 1",
    "TooManyRequests": RATE.format(used=10_001, cap=10_000, traded="0.0"),
    "LeverageType": LEVERAGE_TYPE,
    "IsolatedMargin": ISOLATED_MARGIN,
    "CrossMargin": CROSS_MARGIN,
    "IsolatedOnly": "Cross margin is not allowed for this asset.",
    "LeverageRange": LEVERAGE_RANGE,
}
"""Refuse the whole action."""
UNREADABLE = b"Failed to deserialize the JSON body into the target type"
"""With HTTP 422, for what the venue cannot make sense of."""

REFUSALS: Mapping[Reason, str] = {
    Reason.UNKNOWN_SYMBOL: "InvalidSize",
    Reason.NOT_TRADABLE: "OpenInterestCap",
    Reason.CANNOT_TRADE: "PerpMargin",
    Reason.BAD_LOT: "InvalidSize",
    Reason.BAD_TICK: "Tick",
    Reason.BELOW_MINIMUM: "InvalidSize",
    Reason.ABOVE_MAXIMUM: "InvalidSize",
    Reason.BELOW_NOTIONAL: "MinTradeNtl",
    Reason.PRICE_BAND: "ReferencePrice",
    Reason.NO_PRICE: "InvalidPrice",
    Reason.UNSUPPORTED: "BadTriggerPx",
    Reason.REDUCE_ONLY: "ReduceOnly",
    Reason.INSUFFICIENT_MARGIN: "PerpMargin",
    Reason.DUPLICATE_CLIENT_ID: "InvalidSize",
    Reason.TOO_MANY_ORDERS: "PerpMaxPosition",
    Reason.POSITION_MODE_MISMATCH: "InvalidSize",
    Reason.MARGIN_MODE_MISMATCH: "InvalidSize",
}
"""Why the exchange refuses an order -> what the venue calls it."""
