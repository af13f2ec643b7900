"""What a venue tells us: instruments, prices, positions, fills, the fate of orders, and what it is capable of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from core.domain.words import ZERO, ClientId, MarginMode, PositionMode, Scope, Side, Symbol, floor_to, plain


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a venue says of one contract. Sizes in contracts; `contract_size` is base units per contract (> 0)."""

    symbol: Symbol
    venue_symbol: str
    base: str
    quote: str
    settle: str
    contract_size: Decimal
    lot: Decimal
    tick: Decimal
    min_contracts: Decimal
    max_contracts: Decimal
    """Largest limit order; larger ones are chunked."""
    max_market_contracts: Decimal
    min_notional: Decimal
    max_leverage: Decimal
    kind: str = "linear"
    can_short: bool = True
    tradable: bool = True

    def contracts_for(self, notional: Decimal, price: Decimal) -> Decimal:
        """Signed contracts worth `notional` at `price`, toward zero to the lot."""
        return floor_to(notional / price / self.contract_size, self.lot)

    def quantity(self, contracts: Decimal) -> Decimal:
        """Signed base units of `contracts`."""
        return contracts * self.contract_size

    def notional(self, contracts: Decimal, price: Decimal) -> Decimal:
        """Unsigned settlement-currency value of `contracts` at `price`."""
        return abs(contracts) * self.contract_size * price

    def below_minimum(self, contracts: Decimal, price: Decimal | None) -> bool:
        """Whether an opening order of `contracts` is too small for the venue (by size, or by notional at `price`)."""
        if abs(contracts) < self.min_contracts:
            return True
        return price is not None and self.notional(contracts, price) < self.min_notional

    def fingerprint(self) -> str:
        """What must not change under an open target: contract size and lot."""
        return f"{plain(self.contract_size)}/{plain(self.lot)}"


@dataclass(frozen=True, slots=True)
class Price:
    """Prices in quote currency; `at` is when the read was received (epoch seconds)."""

    symbol: Symbol
    mark: Decimal
    at: float
    last: Decimal | None = None
    bid: Decimal | None = None
    ask: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """One net position. `leverage` and `margin_mode` are None where the venue's read does not carry them."""

    symbol: Symbol
    contracts: Decimal
    leverage: Decimal | None = None
    margin_mode: MarginMode | None = None
    seq: int | None = None
    entry_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Positions:
    """A complete read of an account's positions: a symbol that is absent is flat. `sent_at`: when the request left."""

    by_symbol: Mapping[Symbol, Position]
    sent_at: float
    received_at: float

    def of(self, symbol: Symbol) -> Position:
        return self.by_symbol.get(symbol) or Position(symbol, ZERO)


@dataclass(frozen=True, slots=True)
class Leverage:
    """Leverage and margin mode a venue holds for one symbol, flat or not.

    `leverage` None: the venue keeps none for it now; the next order brings its own.
    """

    symbol: Symbol
    leverage: Decimal | None
    margin_mode: MarginMode | None


@dataclass(frozen=True, slots=True)
class Equity:
    """Settlement-currency equity including unrealized profit; `at` epoch seconds."""

    value: Decimal
    currency: str
    at: float


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution. `contracts` is signed (a buy is positive); `client_id` None or empty: the order is not ours;
    `fee` None: the stream that told of it does not say."""

    symbol: Symbol
    contracts: Decimal
    price: Decimal
    fee: Decimal | None
    time: float
    exec_id: str
    client_id: ClientId | None = None
    seq: int | None = None
    kind: str = "trade"
    """`trade`, `liquidation`, `adl` or `settlement`."""


@dataclass(frozen=True, slots=True)
class Funding:
    symbol: Symbol
    amount: Decimal
    time: float


@dataclass(frozen=True, slots=True)
class History:
    """Every fill since the instant asked for, oldest first, complete over pages."""

    fills: tuple[Fill, ...]
    funding: tuple[Funding, ...] = ()


class OrderStatus(StrEnum):
    OPEN = "open"
    DONE = "done"
    """Final: `filled` will not change any more (filled, or cancelled with what it had)."""
    REJECTED = "rejected"
    """Final, nothing filled."""


@dataclass(frozen=True, slots=True)
class OrderOutcome:
    """What a venue says became of an order; `filled` is unsigned contracts, `seq` that of its last execution."""

    status: OrderStatus
    filled: Decimal
    code: str | None = None
    seq: int | None = None
    average_price: Decimal | None = None
    fee: Decimal | None = None

    @property
    def final(self) -> bool:
        return self.status is not OrderStatus.OPEN


@dataclass(frozen=True, slots=True)
class Ack:
    """The venue accepted the order; `outcome` only where the answer already says how it was filled."""

    order_id: str
    at: float
    outcome: OrderOutcome | None = None


@dataclass(frozen=True, slots=True)
class OpenOrder:
    symbol: Symbol
    side: Side
    contracts: Decimal
    filled: Decimal
    reduce_only: bool
    client_id: ClientId | None


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing a preflight found wrong: what it forbids, what it is, what to do about it."""

    scope: Scope
    code: str
    because: str


@dataclass(frozen=True, slots=True)
class Preflight:
    """What the venue says of the account itself. `margin_mode` None where it is not account-wide."""

    problems: tuple[Problem, ...]
    position_mode: PositionMode | None
    margin_mode: MarginMode | None
    clock_offset_s: float


class VenueEventKind(StrEnum):
    POSITION = "position"
    ORDER = "order"
    FILL = "fill"
    EQUITY = "equity"
    STREAM_UP = "stream_up"
    STREAM_DOWN = "stream_down"


@dataclass(frozen=True, slots=True)
class VenueEvent:
    """One fact from a private stream; `at` is when it came (epoch seconds). It wakes the loop; each kind has fields.

    Facts come only between a `stream_up` and the next `stream_down`.
    """

    kind: VenueEventKind
    at: float
    symbol: Symbol | None = None
    position: Position | None = None
    fill: Fill | None = None
    client_id: ClientId | None = None
    outcome: OrderOutcome | None = None
    equity: Equity | None = None
    because: str = ""
    """Why the stream is down, in words for people; '' where an error that follows says it."""


class LeverageScope(StrEnum):
    PER_SYMBOL = "per_symbol"
    PER_ORDER = "per_order"
    WITH_MARGIN_MODE = "with_margin_mode"


class MarginModeScope(StrEnum):
    ACCOUNT = "account"
    SYMBOL = "symbol"
    ORDER = "order"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a venue can do, as data. The planner and the contract suite branch on these, never on a venue's name."""

    venue: str
    leverage: LeverageScope
    margin_mode_scope: MarginModeScope
    leverage_in_place: bool
    """Leverage may change while a position is open."""
    client_id_prefix: str
    client_id_hex_digits: int
    """Length of the hex id that fits the venue; 0: it takes no client id."""
    validity_s: float
    """Longest time after signing at which an unseen order can still land."""
    reads_per_s: float
    """Private read budget; the timer never uses more than 30 % of it."""
    reduce_only: bool = True
    market_orders: bool = True
    net_flip: bool = False
    position_seq: bool = False
    private_stream: bool = False
    find_by_client_id: bool = True
    reductions_have_minimum: bool = False
    """`Instrument.min_notional` holds for reduce-only orders too: less of a position cannot be traded away."""
    cross_leverage: LeverageScope | None = None
    """Where leverage works otherwise in cross margin: how, and it may then change while a position is open. None: as
    `leverage` and `leverage_in_place` say for either mode."""

    def leverage_in(self, mode: MarginMode) -> LeverageScope:
        """How leverage is set for a position in `mode`."""
        return self.leverage if mode is MarginMode.ISOLATED else self.cross_leverage or self.leverage

    def changes_in_place(self, mode: MarginMode) -> bool:
        """Whether the leverage of an open position in `mode` may change."""
        return self.leverage_in_place or (mode is MarginMode.CROSS and self.cross_leverage is not None)
