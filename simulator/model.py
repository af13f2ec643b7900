"""The frozen facts of a simulated venue: listings, orders, fills, legs, and the refusals facades map to venue codes.

Units and signs are the domain's: `contracts` of a leg are signed, those of orders and fills are positive and carry a
side; prices are in quote currency, money in settlement currency, instants in true epoch seconds (a venue's clock offset
is added by `Exchange.stamp` when a facade reports one).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from core.domain import ZERO, Instrument, MarginMode, OrderKind, PositionMode, Side, Symbol, TimeInForce

ONE = Decimal(1)


class Reason(StrEnum):
    """Why an exchange refuses; every facade has one table from these to its venue's codes."""

    UNKNOWN_SYMBOL = "unknown_symbol"
    NOT_TRADABLE = "not_tradable"
    CANNOT_TRADE = "cannot_trade"
    """The account lacks the trade right."""
    BAD_LOT = "bad_lot"
    BAD_TICK = "bad_tick"
    BELOW_MINIMUM = "below_minimum"
    ABOVE_MAXIMUM = "above_maximum"
    BELOW_NOTIONAL = "below_notional"
    PRICE_BAND = "price_band"
    NO_PRICE = "no_price"
    """A limit order without a price, or a price that is not positive."""
    UNSUPPORTED = "unsupported"
    """An order kind the simulator does not match (stop orders)."""
    REDUCE_ONLY = "reduce_only"
    """Reduce-only, and there is nothing it could reduce."""
    INSUFFICIENT_MARGIN = "insufficient_margin"
    DUPLICATE_CLIENT_ID = "duplicate_client_id"
    TOO_MANY_ORDERS = "too_many_orders"
    ORDER_NOT_FOUND = "order_not_found"
    ORDER_FINAL = "order_final"
    """It exists and is filled, cancelled or rejected already."""
    LEVERAGE_RANGE = "leverage_range"
    LEVERAGE_NOT_MODIFIED = "leverage_not_modified"
    MARGIN_MODE_NOT_MODIFIED = "margin_mode_not_modified"
    POSITION_MODE_NOT_MODIFIED = "position_mode_not_modified"
    HAS_POSITION = "has_position"
    HAS_ORDERS = "has_orders"
    POSITION_MODE_MISMATCH = "position_mode_mismatch"
    MARGIN_MODE_MISMATCH = "margin_mode_mismatch"


class Refused(Exception):
    """The exchange refuses and nothing happened. Facades branch on `reason`; the text is for people."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class PositionSide(StrEnum):
    """Which leg an order trades: NET in one-way mode, LONG or SHORT in hedge mode."""

    NET = "net"
    LONG = "long"
    SHORT = "short"


class OrderState(StrEnum):
    OPEN = "open"
    """Resting, possibly with fills."""
    FILLED = "filled"
    CANCELLED = "cancelled"
    """Final with what it had filled, which may be nothing (an IOC's remainder, a cancel)."""
    REJECTED = "rejected"
    """Refused at entry. Kept for the ledger only: no venue query finds it."""


class FillKind(StrEnum):
    TRADE = "trade"
    LIQUIDATION = "liquidation"
    ADL = "adl"
    SETTLEMENT = "settlement"


@dataclass(frozen=True, slots=True)
class Listing:
    """An instrument with the numbers only a venue knows. `price` is the level its seeded walk hovers around."""

    instrument: Instrument
    price: Decimal
    source: str
    """Where the numeric facts come from, or the rule that generated them."""
    generated: bool = False
    maintenance_rate: Decimal = Decimal("0.005")
    """Maintenance margin as a share of notional."""
    funding_rate: Decimal = Decimal("0.0001")
    """Paid by longs to shorts every `VenueRules.funding_interval_s`, as a share of notional."""
    min_leverage: Decimal = Decimal(1)
    leverage_step: Decimal = Decimal("0.01")

    @property
    def symbol(self) -> Symbol:
        return self.instrument.symbol


@dataclass(frozen=True, slots=True)
class VenueRules:
    """What differs between venues inside the exchange; a facade module states its own."""

    venue: str
    settle: str = "USDT"
    taker_fee: Decimal = Decimal("0.00055")
    maker_fee: Decimal = Decimal("0.0002")
    price_band: Decimal = Decimal("0.1")
    """A limit further than this share through the mark is refused, and nothing fills beyond it."""
    default_leverage: Decimal = Decimal(10)
    default_margin_mode: MarginMode = MarginMode.CROSS
    leverage_in_place: bool = True
    """Leverage may change while a position is open."""
    max_open_orders: int = 500
    """Per account and symbol."""
    funding_interval_s: float = 28_800.0
    spread: Decimal = Decimal("0.0002")
    """Distance of best bid and ask, as a share of the last price."""
    level_step: Decimal = Decimal("0.0002")
    """Distance between two levels of the book, as a share of the last price."""
    level_notional: Decimal = Decimal(250_000)
    """Settlement currency offered on each level."""
    levels: int = 25
    price_digits: int | None = None
    """Significant figures a price may have, beside its tick; a whole number may have any. None: the tick alone."""

    def tick_at(self, price: Decimal, tick: Decimal) -> Decimal:
        """What `price` must be a multiple of, where the contract's own tick is `tick`."""
        if self.price_digits is None:
            return tick
        return max(tick, min(ONE, ONE.scaleb(price.adjusted() - self.price_digits + 1)))


@dataclass(frozen=True, slots=True)
class Quote:
    """Prices of one symbol at one instant, on the tick. `bid_contracts`/`ask_contracts`: size of the best levels."""

    symbol: Symbol
    mark: Decimal
    last: Decimal
    index: Decimal
    bid: Decimal
    ask: Decimal
    bid_contracts: Decimal
    ask_contracts: Decimal
    funding_rate: Decimal
    next_funding_at: float
    at: float


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order as a facade understood it. `contracts` > 0, or 0 with `full_close` for "whatever is open".

    `leverage` and `margin_mode` only where the venue's order carries them (None: the symbol's own).
    """

    symbol: Symbol
    side: Side
    contracts: Decimal
    kind: OrderKind
    tif: TimeInForce = TimeInForce.GTC
    price: Decimal | None = None
    reduce_only: bool = False
    client_id: str | None = None
    position_side: PositionSide = PositionSide.NET
    full_close: bool = False
    leverage: Decimal | None = None
    margin_mode: MarginMode | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """One order the venue knows. `number` grows by one per order of the venue; `order_id` is a UUID made from it."""

    number: int
    order_id: str
    client_id: str | None
    symbol: Symbol
    side: Side
    contracts: Decimal
    kind: OrderKind
    tif: TimeInForce
    price: Decimal | None
    reduce_only: bool
    position_side: PositionSide
    state: OrderState
    received_at: float
    updated_at: float
    contract_size: Decimal
    """Base units per contract when it was taken."""
    filled: Decimal = ZERO
    value: Decimal = ZERO
    """Sum of filled contracts x contract size x price."""
    average_price: Decimal | None = None
    fee: Decimal = ZERO
    seq: int = 0
    """Sequence number of its last event."""
    reason: Reason | None = None
    """Why it was refused, when it was."""

    @property
    def open(self) -> bool:
        return self.state is OrderState.OPEN

    @property
    def remaining(self) -> Decimal:
        """Contracts that may still fill."""
        return self.contracts - self.filled if self.open else ZERO


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. `client_id` None: not an order of an API client (manual, liquidation, ADL)."""

    exec_id: str
    order_id: str
    client_id: str | None
    symbol: Symbol
    position_side: PositionSide
    side: Side
    contracts: Decimal
    price: Decimal
    fee: Decimal
    maker: bool
    at: float
    seq: int
    kind: FillKind
    position_after: Decimal
    """Signed contracts of the symbol (both legs together in hedge mode) right after this fill."""
    quantity: Decimal
    """Unsigned base units."""
    quantity_after: Decimal
    """`position_after` in signed base units, by the contract size of that moment."""
    realized: Decimal = ZERO
    order_contracts: Decimal = ZERO
    closed: Decimal = ZERO
    """How many of `contracts` reduced the leg."""


@dataclass(frozen=True, slots=True)
class FundingPayment:
    """`amount` signed: positive was received. `contracts` signed, `at` the funding instant."""

    symbol: Symbol
    contracts: Decimal
    mark: Decimal
    rate: Decimal
    amount: Decimal
    at: float
    seq: int


@dataclass(frozen=True, slots=True)
class Leg:
    """One leg of a position as booked. `seq` is that of the last fill on it; 0 before the first."""

    symbol: Symbol
    position_side: PositionSide = PositionSide.NET
    contracts: Decimal = ZERO
    entry_price: Decimal = ZERO
    realized: Decimal = ZERO
    """Since the venue opened, fees and funding included."""
    seq: int = 0
    opened_at: float = 0.0
    updated_at: float = 0.0


@dataclass(frozen=True, slots=True)
class PositionView:
    """A leg with everything a venue shows beside it. `margin` is what it locks; only an isolated leg has a
    liquidation and a bankruptcy price."""

    leg: Leg
    mark: Decimal
    value: Decimal
    """Unsigned notional at the entry price."""
    unrealized: Decimal
    leverage: Decimal
    margin_mode: MarginMode
    margin: Decimal
    maintenance: Decimal
    liquidation_price: Decimal | None
    bankruptcy_price: Decimal | None

    @property
    def symbol(self) -> Symbol:
        return self.leg.symbol

    @property
    def contracts(self) -> Decimal:
        return self.leg.contracts


@dataclass(frozen=True, slots=True)
class Balance:
    """Money of one account in the settle currency. `available` is what new margin can be taken from, never below 0."""

    wallet: Decimal
    unrealized: Decimal
    initial_margin: Decimal
    """Of positions."""
    order_margin: Decimal
    maintenance_margin: Decimal
    available: Decimal

    @property
    def equity(self) -> Decimal:
        return self.wallet + self.unrealized


@dataclass(frozen=True, slots=True)
class AccountInfo:
    """What an account is set to. `margin_mode` is the account-wide one; see `Exchange.margin_mode` for a symbol's."""

    name: str
    position_mode: PositionMode
    margin_mode: MarginMode
    can_trade: bool


@dataclass(frozen=True, slots=True)
class Keys:
    """Credentials of one account, derived from the seed. Facades use those fields their venue has."""

    api_key: str
    api_secret: str
    passphrase: str
    private_key: str
    """64 hex digits, below the order of secp256k1."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """How the venue misbehaves inside, for the request being handled (set by faults, through `Exchange.under`)."""

    stale_positions_s: float = 0.0
    partial_fill: Decimal | None = None
    """Share of the order, in [0, 1], that finds a counterparty."""
    accept_duplicate_ids: bool = False


@dataclass(frozen=True, slots=True)
class ExchangeEvent:
    """What listeners are told, after it is booked. Exactly one of the facts is set; `account` is its name.

    An order is told of first when it is taken, open and unfilled, then after whatever the matching made of it; a fill
    is followed by its leg and the wallet, all with its `seq`. A leg alone: its leverage was set. A wallet alone:
    funding, or money paid in or out.
    """

    account: str
    at: float
    seq: int
    order: Order | None = None
    fill: Fill | None = None
    leg: Leg | None = None
    funding: FundingPayment | None = None
    wallet: Decimal | None = field(default=None)
