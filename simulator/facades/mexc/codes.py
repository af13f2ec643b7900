"""MEXC's codes: what the exchange refuses and why, in the venue's numbers and words.

Source: https://www.mexc.com/api-docs/futures/error-code. Where it has several codes for one reason, or none, the more
general one is taken.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.model import Reason

OK = 0
NO_KEY = 401
WRONG_IP = 406
TOO_MANY = 510
BAD_TIME = 513
NO_ENDPOINT = 511
PARAMETER = 600
UNREADABLE = 601
BAD_SIGNATURE = 602
NO_TRADE_RIGHT = 704
NO_CONTRACT = 1001
NOT_ACTIVATED = 1002
BAD_SIDE = 2001
BUY_PRICE = 2003
SELL_PRICE = 2004
NO_BALANCE = 2005
BAD_LEVERAGE = 2006
BAD_PRICE = 2007
NO_POSITION = 2009
BAD_SIZE = 2011
BAD_PRECISION = 2015
ORDERS_OPEN = 2019
OTHER_LEVERAGE = 2021
NOT_IN_CROSS = 2026
OTHER_MODE = 2027
TOO_LARGE = 2028
BAD_TYPE = 2029
ID_TOO_LONG = 2030
TOO_MANY_ORDERS = 2036
NO_ORDER = 2040
ORDER_FINAL = 2041
DUPLICATE_ID = 2042
MODE_IN_USE = 7001
MODE_MISMATCH = 7002

MESSAGES: Mapping[int, str] = {
    NO_KEY: "Not logged in or login has expired",
    402: "API Key expired, please apply again",
    WRONG_IP: "Accessing IP is not in the whitelist",
    500: "Internal error. Please try again.",
    501: "System busy, try again later",
    TOO_MANY: "Requests are too frequent, please try again later",
    NO_ENDPOINT: "You do not have access to the interface",
    BAD_TIME: "Invalid request, please try again later",
    PARAMETER: "Parameter error",
    UNREADABLE: "Data parsing error",
    BAD_SIGNATURE: "Confirming signature failed",
    603: "Repeated request",
    604: "Sorry, this feature is under maintenance",
    701: "Please enable API Key read access",
    703: "Trading information read access is required",
    NO_TRADE_RIGHT: "Please enable API Key trading information write access",
    NO_CONTRACT: "Contract does not exist",
    NOT_ACTIVATED: "Contract not activated",
    BAD_SIDE: "Order direction error",
    BUY_PRICE: "Exceeded the maximum buying price, please fill in again",
    SELL_PRICE: "Selling price is lower than the minimum price, please fill in again",
    NO_BALANCE: "Balance insufficient",
    BAD_LEVERAGE: "Leverage multiplier must be within the upper limit and lower limit",
    BAD_PRICE: "Order price error",
    NO_POSITION: "Position is nonexistent or closed",
    BAD_SIZE: "Order quantity error",
    BAD_PRECISION: "Price or quantity precision error, please enter again",
    ORDERS_OPEN: "Leverage adjustment unavailable while orders are open",
    OTHER_LEVERAGE: "Order leverage is inconsistent with the existing position leverage",
    NOT_IN_CROSS: "Leverage adjustment is unavailable for cross margin",
    OTHER_MODE: "Cross and isolated position of the same direction are alternative.",
    TOO_LARGE: "Maximum order quantity exceeded",
    BAD_TYPE: "Order type error",
    ID_TOO_LONG: "External order ID too long (max. 32 digit)",
    TOO_MANY_ORDERS: "Number of orders has exceeded the limit, please contact Customer Service",
    NO_ORDER: "order not exist",
    ORDER_FINAL: "order state cannot be cancelled",
    DUPLICATE_ID: "Duplicate order ID",
    MODE_IN_USE: "Please cancel active orders or close positions before modifying position mode",
    MODE_MISMATCH: "Position mode mismatch, please switch position mode",
}

REFUSALS: Mapping[Reason, int] = {
    Reason.UNKNOWN_SYMBOL: NO_CONTRACT,
    Reason.NOT_TRADABLE: NOT_ACTIVATED,
    Reason.CANNOT_TRADE: NO_TRADE_RIGHT,
    Reason.BAD_LOT: BAD_PRECISION,
    Reason.BAD_TICK: BAD_PRECISION,
    Reason.BELOW_MINIMUM: BAD_SIZE,
    Reason.ABOVE_MAXIMUM: TOO_LARGE,
    Reason.BELOW_NOTIONAL: BAD_SIZE,
    Reason.PRICE_BAND: BUY_PRICE,
    Reason.NO_PRICE: BAD_PRICE,
    Reason.UNSUPPORTED: BAD_TYPE,
    Reason.REDUCE_ONLY: NO_POSITION,
    Reason.INSUFFICIENT_MARGIN: NO_BALANCE,
    Reason.DUPLICATE_CLIENT_ID: DUPLICATE_ID,
    Reason.TOO_MANY_ORDERS: TOO_MANY_ORDERS,
    Reason.ORDER_NOT_FOUND: NO_ORDER,
    Reason.ORDER_FINAL: ORDER_FINAL,
    Reason.LEVERAGE_RANGE: BAD_LEVERAGE,
    Reason.LEVERAGE_NOT_MODIFIED: OK,
    Reason.MARGIN_MODE_NOT_MODIFIED: OK,
    Reason.POSITION_MODE_NOT_MODIFIED: OK,
    Reason.HAS_POSITION: MODE_IN_USE,
    Reason.HAS_ORDERS: MODE_IN_USE,
    Reason.POSITION_MODE_MISMATCH: MODE_MISMATCH,
    Reason.MARGIN_MODE_MISMATCH: OTHER_MODE,
}
