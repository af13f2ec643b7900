"""KuCoin Futures' codes: what is refused and why, in the venue's numbers and words, and with which HTTP status.

Source: https://www.kucoin.com/docs-new/error-code (section Futures); 330005, 330008, 330012 and `100001
error.getOrder.orderNotExist` from the venue's answers, 50002 from the documented answer of the batch change of margin
modes. Where the documentation is silent a wrong parameter is 400100.
"""

from __future__ import annotations

from collections.abc import Mapping

from simulator.model import Reason

SUCCESS = "200000"
NO_ORDER = "100001"
NOT_CANCELABLE = "100004"
NO_SYMBOL = "200003"
NOTHING_TO_CLOSE = "300009"
TOO_HIGH, TOO_LOW = "300011", "300012"
DUPLICATE = "300018"
MARGIN_MODE_MISMATCH = "330005"
POSITION_MODE_MISMATCH = "330012"
HEADER_MISSING = "400001"
BAD_TIME = "400002"
BAD_KEY = "400003"
BAD_PHRASE = "400004"
BAD_SIGNATURE = "400005"
WRONG_IP = "400006"
NO_PERMISSION = "400007"
PARAMETER_ERROR = "400100"
NO_ENDPOINT = "404000"
UNSUPPORTED_TYPE = "415000"
TOO_MANY_REQUESTS = "429000"

MESSAGES: Mapping[str, str] = {
    NO_ORDER: "error.getOrder.orderNotExist",
    NOT_CANCELABLE: "The order cannot be canceled.",
    NO_SYMBOL: "The symbol parameter is invalid.",
    "300001": "Active order quantity limit exceeded.",
    "300002": "Order placement/cancellation suspended, please try again later.",
    "300003": "Balance insufficient. The order would cost more than your available balance.",
    NOTHING_TO_CLOSE: "No open positions to close.",
    TOO_HIGH: "Order price cannot be higher than the limit.",
    TOO_LOW: "Order price cannot be lower than the limit.",
    "300016": "The leverage cannot be greater than the maximum.",
    DUPLICATE: "clientOid parameter repeated",
    MARGIN_MODE_MISMATCH: "The order's margin mode does not match the selected one. Please switch and try again.",
    "330008": "Your current margin and leverage have reached the maximum open limit.",
    "330011": "Use the Switch Position Mode endpoint to choose your position mode first.",
    POSITION_MODE_MISMATCH: "The order's position side does not match the selected position mode.",
    HEADER_MISSING: "Please check the header of your request for KC-API-KEY, KC-API-SIGN, KC-API-TIMESTAMP, "
    "KC-API-PASSPHRASE",
    BAD_TIME: "Invalid KC-API-TIMESTAMP",
    BAD_KEY: "KC-API-KEY not exists",
    BAD_PHRASE: "Invalid KC-API-PASSPHRASE",
    BAD_SIGNATURE: "Invalid KC-API-SIGN",
    WRONG_IP: "The requested ip address is not in the api whitelist",
    NO_PERMISSION: "Access denied, require more permission",
    PARAMETER_ERROR: "Parameter Error",
    NO_ENDPOINT: "Url Not Found",
    "411100": "User is frozen.",
    UNSUPPORTED_TYPE: "Unsupported Media Type",
    TOO_MANY_REQUESTS: "Too many requests in a short period of time, please retry later",
    "500000": "Internal Server Error",
    "50002": "exist.order.or.position",
}

STATUSES: Mapping[str, int] = {
    HEADER_MISSING: 401,
    BAD_TIME: 400,
    BAD_KEY: 401,
    BAD_PHRASE: 401,
    BAD_SIGNATURE: 401,
    WRONG_IP: 403,
    NO_PERMISSION: 403,
    PARAMETER_ERROR: 400,
    NO_ENDPOINT: 404,
    UNSUPPORTED_TYPE: 415,
    TOO_MANY_REQUESTS: 429,
    "500000": 500,
}
"""Codes of the gateway come with an HTTP status of their own; those of the business behind it with 200."""

REFUSALS: Mapping[Reason, str] = {
    Reason.UNKNOWN_SYMBOL: NO_SYMBOL,
    Reason.NOT_TRADABLE: "300002",
    Reason.CANNOT_TRADE: NO_PERMISSION,
    Reason.BAD_LOT: PARAMETER_ERROR,
    Reason.BAD_TICK: PARAMETER_ERROR,
    Reason.BELOW_MINIMUM: PARAMETER_ERROR,
    Reason.ABOVE_MAXIMUM: PARAMETER_ERROR,
    Reason.BELOW_NOTIONAL: PARAMETER_ERROR,
    Reason.PRICE_BAND: TOO_HIGH,
    Reason.NO_PRICE: PARAMETER_ERROR,
    Reason.UNSUPPORTED: PARAMETER_ERROR,
    Reason.REDUCE_ONLY: NOTHING_TO_CLOSE,
    Reason.INSUFFICIENT_MARGIN: "300003",
    Reason.DUPLICATE_CLIENT_ID: DUPLICATE,
    Reason.TOO_MANY_ORDERS: "300001",
    Reason.ORDER_NOT_FOUND: NO_ORDER,
    Reason.ORDER_FINAL: NOT_CANCELABLE,
    Reason.LEVERAGE_RANGE: "300016",
    Reason.LEVERAGE_NOT_MODIFIED: SUCCESS,
    Reason.MARGIN_MODE_NOT_MODIFIED: SUCCESS,
    Reason.POSITION_MODE_NOT_MODIFIED: SUCCESS,
    Reason.HAS_POSITION: "50002",
    Reason.HAS_ORDERS: "50002",
    Reason.POSITION_MODE_MISMATCH: POSITION_MODE_MISMATCH,
    Reason.MARGIN_MODE_MISMATCH: MARGIN_MODE_MISMATCH,
}
