"""BloFin's codes: what the exchange refuses and why, in the venue's numbers and words.

Source: https://docs.blofin.com, section Errors. Where it is silent (lots, minima, margin modes of orders) the code is
that of a wrong parameter.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.model import Reason

OK = "0"
ALL_FAILED = "1"
TOO_MANY = "429"
NOT_FOUND = "404"
BAD_METHOD = "405"
EMPTY_PARAMETER = "152001"
BAD_PARAMETER = "152002"
BAD_JSON = "152004"
BAD_CLIENT_ID = "152009"
BROKER_MARK = "152011"
NO_SUCH_INSTRUMENT = "152014"
TOO_MANY_INSTRUMENTS = "152015"
BAD_KEY = "152401"
NO_PERMISSION = "152404"
BAD_TIME = "152405"
WRONG_IP = "152406"
USED_NONCE = "152407"
WRONG_PHRASE = "152408"
BAD_SIGNATURE = "152409"
NOT_MS = "152410"
DUPLICATE_ID = "102002"
LIMIT_TOO_LARGE = "102014"
MARKET_TOO_LARGE = "102015"
NOTHING_TO_REDUCE = "102022"
BUY_PRICE = "102064"
SELL_PRICE = "102065"
CANCEL_FAILED = "102068"
MODE_MISMATCH = "102089"
NO_MARGIN = "103003"
CROSS_ORDERS = "110006"
SOMETHING_OPEN = "110019"

MESSAGES: Mapping[str, str] = {
    OK: "success",
    ALL_FAILED: "All operations failed",
    "401": "Invalid signature.",
    "500": "Internal Server Error",
    TOO_MANY: "Too Many Requests",
    NOT_FOUND: "not found",
    BAD_METHOD: "Method Not Allowed",
    BAD_JSON: "JSON syntax error, Please check if the parameter should be an array or an object.",
    BROKER_MARK: "Transaction API Key does not support brokerId",
    "152012": "BrokerId is required",
    "152013": "Unmatched brokerId, please check your API key's bound broker",
    NO_SUCH_INSTRUMENT: "Instrument ID does not exist",
    TOO_MANY_INSTRUMENTS: "Number of instId values exceeds the maximum limit of 20",
    BAD_KEY: "Access key does not exist",
    "152402": "Access key has expired",
    NO_PERMISSION: "This operation is not supported, Please check the requestPath or API key permissions.",
    BAD_TIME: "Timestamp in header or signature has expired, need to be within 60s",
    WRONG_IP: "Your IP is not included in your API key's IP whitelist",
    USED_NONCE: "Repeated nonce, Reusing within 60 seconds is not allowed.",
    WRONG_PHRASE: "Passphrase error",
    BAD_SIGNATURE: "Signature verification failed",
    NOT_MS: "The value of ACCESS-TIMESTAMP needs to be a millisecond timestamp",
    "150003": "clientId already exist",
    "150004": "Insufficient balance. please adjust the amount and try again.",
    "542": "Exceeded the maximum order size limit",
    DUPLICATE_ID: "Duplicate customized order ID",
    "102005": "Position had been closed",
    LIMIT_TOO_LARGE: "Limit order exceeds maximum order size limit",
    MARKET_TOO_LARGE: "Market order exceeds maximum order size limit",
    NOTHING_TO_REDUCE: "Failed to place order. You don't have any positions of this contract. "
    "Turn off Reduce-only to continue.",
    BUY_PRICE: "Buy price is not within the price limit",
    SELL_PRICE: "Sell price is not within the price limit",
    CANCEL_FAILED: "Cancel failed as the order has been filled, triggered, canceled or does not exist.",
    MODE_MISMATCH: "Position mode mismatch",
    NO_MARGIN: "Order failed. Insufficient USDT margin in account",
    "103013": "Internal error; unable to process your request. Please try again.",
    CROSS_ORDERS: "You have pending cross orders. Please cancel them before adjusting your leverage.",
    SOMETHING_OPEN: "Setting failed. Cancel any open orders, and close positions first.",
}

OF_AN_ORDER = frozenset(
    {
        "542",
        "150003",
        "150004",
        "102002",
        "102005",
        "102014",
        "102015",
        "102022",
        "102064",
        "102065",
        "103003",
        "103013",
    }
)
"""Codes that stand beside the order they refuse, inside an answer whose own code is 1."""

REFUSALS: Mapping[Reason, tuple[str, str]] = {
    Reason.UNKNOWN_SYMBOL: (NO_SUCH_INSTRUMENT, MESSAGES[NO_SUCH_INSTRUMENT]),
    Reason.NOT_TRADABLE: (BAD_PARAMETER, "Parameter instId error."),
    Reason.CANNOT_TRADE: (NO_PERMISSION, MESSAGES[NO_PERMISSION]),
    Reason.BAD_LOT: (BAD_PARAMETER, "Parameter size error."),
    Reason.BAD_TICK: (BAD_PARAMETER, "Parameter price error."),
    Reason.BELOW_MINIMUM: (BAD_PARAMETER, "Parameter size error."),
    Reason.ABOVE_MAXIMUM: (LIMIT_TOO_LARGE, MESSAGES[LIMIT_TOO_LARGE]),
    Reason.BELOW_NOTIONAL: (BAD_PARAMETER, "Parameter size error."),
    Reason.PRICE_BAND: (BUY_PRICE, MESSAGES[BUY_PRICE]),
    Reason.NO_PRICE: (EMPTY_PARAMETER, "Parameter price cannot be empty."),
    Reason.UNSUPPORTED: (BAD_PARAMETER, "Parameter orderType error."),
    Reason.REDUCE_ONLY: (NOTHING_TO_REDUCE, MESSAGES[NOTHING_TO_REDUCE]),
    Reason.INSUFFICIENT_MARGIN: (NO_MARGIN, MESSAGES[NO_MARGIN]),
    Reason.DUPLICATE_CLIENT_ID: (DUPLICATE_ID, MESSAGES[DUPLICATE_ID]),
    Reason.TOO_MANY_ORDERS: ("542", MESSAGES["542"]),
    Reason.ORDER_NOT_FOUND: (CANCEL_FAILED, MESSAGES[CANCEL_FAILED]),
    Reason.ORDER_FINAL: (CANCEL_FAILED, MESSAGES[CANCEL_FAILED]),
    Reason.LEVERAGE_RANGE: (BAD_PARAMETER, "Parameter leverage error."),
    Reason.LEVERAGE_NOT_MODIFIED: (OK, MESSAGES[OK]),
    Reason.MARGIN_MODE_NOT_MODIFIED: (OK, MESSAGES[OK]),
    Reason.POSITION_MODE_NOT_MODIFIED: (OK, MESSAGES[OK]),
    Reason.HAS_POSITION: (SOMETHING_OPEN, MESSAGES[SOMETHING_OPEN]),
    Reason.HAS_ORDERS: (SOMETHING_OPEN, MESSAGES[SOMETHING_OPEN]),
    Reason.POSITION_MODE_MISMATCH: (MODE_MISMATCH, MESSAGES[MODE_MISMATCH]),
    Reason.MARGIN_MODE_MISMATCH: (BAD_PARAMETER, "Parameter marginMode error."),
}
