"""Bybit's codes: what the exchange refuses and why, in the venue's numbers and words.

Source: https://bybit-exchange.github.io/docs/v5/error. Where the documentation is silent the code is the one clients
report: 10001 for sizes beyond the filters and for a `positionIdx` of the other mode, 110001 for cancelling what is
final.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.model import Reason

PARAMETER_ERROR = 10001
BAD_TIME = 10002
BAD_KEY = 10003
BAD_SIGNATURE = 10004
NO_PERMISSION = 10005
TOO_MANY_VISITS = 10006
WRONG_IP = 10010
NO_SUCH_ORDER = 110001
PRICE_LIMIT = 110003
INSUFFICIENT_AVAILABLE = 110012
NOTHING_TO_REDUCE = 110017
POSITION_LIMIT = 110090
MARGIN_MODE_FAILED = 3400045
UNAVAILABLE_TO_UNIFIED = 100028

MESSAGES: Mapping[int, str] = {
    10000: "Server Timeout",
    PARAMETER_ERROR: "Request parameter error",
    BAD_TIME: "The request time exceeds the time window range.",
    BAD_KEY: "API key is invalid.",
    BAD_SIGNATURE: "error sign! Please check your signature generation algorithm.",
    NO_PERMISSION: "Permission denied, please check your API key permissions.",
    TOO_MANY_VISITS: "Too many visits. Exceeded the API Rate Limit.",
    10007: "User authentication failed.",
    WRONG_IP: "Unmatched IP, please check your API key's bound IP addresses.",
    10014: "Invalid duplicate request.",
    10016: "Server error.",
    10024: "Compliance rules triggered",
    10027: "Transactions are banned.",
    33004: "Your api key has expired",
    NO_SUCH_ORDER: "order not exists or too late to cancel",
    PRICE_LIMIT: "Order price exceeds the allowable range.",
    110004: "Wallet balance is insufficient",
    110007: "ab not enough for new order",
    INSUFFICIENT_AVAILABLE: "Insufficient available balance.",
    110013: "Cannot set leverage due to risk limit level.",
    NOTHING_TO_REDUCE: "current position is zero, cannot fix reduce-only order qty",
    110020: "Not allowed to have more than 500 active orders.",
    110021: "Not allowed to exceeded position limits due to Open Interest.",
    110023: "Currently you can only reduce your position on this contract.",
    110024: "You have an existing position, so the position mode cannot be switched.",
    110025: "Position mode has not been modified.",
    110026: "Cross/isolated margin mode has not been modified.",
    110028: "You have existing open orders, so the position mode cannot be switched.",
    110043: "leverage not modified",
    110066: "Trading is currently not allowed.",
    110072: "OrderLinkedID is duplicate",
    110074: "This contract is not live",
    POSITION_LIMIT: "Order placement failed as your position may exceed the max limit.",
    110094: "Order does not meet minimum order value",
    MARGIN_MODE_FAILED: "Set margin mode failed",
    UNAVAILABLE_TO_UNIFIED: "The API cannot be accessed by unified account users.",
}

REFUSALS: Mapping[Reason, tuple[int, str]] = {
    Reason.UNKNOWN_SYMBOL: (PARAMETER_ERROR, "params error: symbol invalid"),
    Reason.NOT_TRADABLE: (110074, MESSAGES[110074]),
    Reason.CANNOT_TRADE: (NO_PERMISSION, MESSAGES[NO_PERMISSION]),
    Reason.BAD_LOT: (PARAMETER_ERROR, "Qty invalid"),
    Reason.BAD_TICK: (PARAMETER_ERROR, "Price invalid"),
    Reason.BELOW_MINIMUM: (PARAMETER_ERROR, "The number of contracts exceeds minimum limit allowed"),
    Reason.ABOVE_MAXIMUM: (PARAMETER_ERROR, "The number of contracts exceeds maximum limit allowed: too large"),
    Reason.BELOW_NOTIONAL: (110094, MESSAGES[110094]),
    Reason.PRICE_BAND: (PRICE_LIMIT, MESSAGES[PRICE_LIMIT]),
    Reason.NO_PRICE: (PARAMETER_ERROR, "params error: price is required"),
    Reason.UNSUPPORTED: (PARAMETER_ERROR, "params error: the simulator does not match this kind of order"),
    Reason.REDUCE_ONLY: (NOTHING_TO_REDUCE, MESSAGES[NOTHING_TO_REDUCE]),
    Reason.INSUFFICIENT_MARGIN: (110007, MESSAGES[110007]),
    Reason.DUPLICATE_CLIENT_ID: (110072, MESSAGES[110072]),
    Reason.TOO_MANY_ORDERS: (110020, MESSAGES[110020]),
    Reason.ORDER_NOT_FOUND: (NO_SUCH_ORDER, MESSAGES[NO_SUCH_ORDER]),
    Reason.ORDER_FINAL: (NO_SUCH_ORDER, MESSAGES[NO_SUCH_ORDER]),
    Reason.LEVERAGE_RANGE: (110013, MESSAGES[110013]),
    Reason.LEVERAGE_NOT_MODIFIED: (110043, MESSAGES[110043]),
    Reason.MARGIN_MODE_NOT_MODIFIED: (110026, MESSAGES[110026]),
    Reason.POSITION_MODE_NOT_MODIFIED: (110025, MESSAGES[110025]),
    Reason.HAS_POSITION: (110024, MESSAGES[110024]),
    Reason.HAS_ORDERS: (110028, MESSAGES[110028]),
    Reason.POSITION_MODE_MISMATCH: (PARAMETER_ERROR, "position idx not match position mode"),
    Reason.MARGIN_MODE_MISMATCH: (110026, MESSAGES[110026]),
}
