"""One KuCoin Futures account (classic account, linear perpetuals, one-way mode), over REST and websockets.

Thin: it asks, and `codecs.kucoin*` says what the answers mean. Reads that fail in any part fail whole. A send is made
once; whatever its answer does not prove is `Ambiguous`. The venue documents no end of validity: it refuses a timestamp
more than five seconds from its own, and twice that is waited for. A client id may stand for several orders, so that
every list is searched for it. The streams add speed and nothing else: without them everything is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from decimal import Decimal

from account_processors import Credentials, secret
from account_processors.budget import Priority
from account_processors.codecs import kucoin as codec
from account_processors.codecs import kucoin_errors as errors
from account_processors.codecs import orders
from account_processors.kucoin_client import ORDERS, WINDOW_MS, KucoinClient, read, weight_of
from account_processors.kucoin_finder import Finder
from account_processors.kucoin_lists import WEEK_S, Lists
from account_processors.kucoin_prices import KucoinPrices, tickers
from account_processors.kucoin_stream import Places, PrivateStream, Surroundings
from account_processors.reading import together, usable
from account_processors.sending import Leases, clock_problems, no_events, order_answer, setting_answer
from account_processors.server_time import KEPT_S
from account_processors.shared import VenueShared
from account_processors.stream import private_events
from account_processors.wiring import Wiring
from core.domain import (
    AccountId,
    Ack,
    Capabilities,
    ClientId,
    Cost,
    Equity,
    Funding,
    History,
    Instrument,
    Leverage,
    LeverageScope,
    MarginMode,
    MarginModeScope,
    OpenOrder,
    OrderKind,
    OrderOutcome,
    Permit,
    PlaceOrder,
    PositionMode,
    Positions,
    Preflight,
    Price,
    Problem,
    Scope,
    Symbol,
    TimeInForce,
    VenueEvent,
    plain,
)
from core.errors import Ambiguous, Denied, OurFault, Rejected, TransportError, Unavailable
from core.ports import Clock, Entropy, Transport

BASE_URL = "https://api-futures.kucoin.com"
CREDENTIALS = ("api_key", "api_secret", "api_passphrase")
INSTRUMENTS = "instruments"
INSTRUMENTS_MAX_AGE_S = 3600.0
PROBE = Symbol("BTCUSDT")
VALIDITY_S = 10.0
MAX_WEEKS = 13
"""KuCoin keeps fills for three months."""
OVERLAP_S = 1.0

CAPABILITIES = Capabilities(
    venue="kucoin",
    leverage=LeverageScope.PER_ORDER,
    margin_mode_scope=MarginModeScope.SYMBOL,
    leverage_in_place=False,
    client_id_prefix="",
    client_id_hex_digits=32,
    validity_s=VALIDITY_S,
    reads_per_s=20.0,
    cross_leverage=LeverageScope.PER_SYMBOL,
)
"""`reads_per_s`: 2000 of weight in 30 seconds, of which a read takes two to five."""


class KucoinProcessor:
    """`ports.AccountProcessor` for one key. `shared` is that of all accounts at the same base URL.

    Without `ws_url` the streams are those the venue itself names, at its own base URL alone; elsewhere everything is
    read.
    """

    def __init__(
        self,
        account: AccountId,
        credentials: Credentials,
        transport: Transport,
        clock: Clock,
        entropy: Entropy,
        base_url: str | None,
        ws_url: str | None,
        shared: VenueShared,
        deadline_s: float = 5.0,
    ) -> None:
        endpoint = (base_url or BASE_URL).rstrip("/")
        wiring = Wiring(account, endpoint, transport, clock, shared, deadline_s)
        key, private, phrase = (secret(credentials, account, name) for name in CREDENTIALS)
        self.account = account
        self._client = KucoinClient(wiring, key, private, phrase)
        self._clock = clock
        self._entropy = entropy
        self._shared = shared
        self._used: set[Symbol] = set()
        self._leases = Leases(WINDOW_MS)
        self._lists = Lists(self._client)
        self._finder = Finder(account, self._client, self._lists, shared)
        followed = None
        self.private_stream: PrivateStream | None = None
        if ws_url is not None or endpoint == BASE_URL:
            places = Places(self._client, wiring, entropy, ws_url)
            followed = shared.lasting(f"tickers at {ws_url or endpoint}", lambda: tickers(places, self._listed))
            around = Surroundings(self.instruments, self._listed, (key, private, phrase))
            self.private_stream = PrivateStream(places, around)
        self._prices = KucoinPrices(self._client, shared, followed)
        self._capabilities = replace(CAPABILITIES, private_stream=self.private_stream is not None)

    def __repr__(self) -> str:
        return f"KucoinProcessor({self.account})"

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def clock_offset_s(self) -> float | None:
        return self._client.venue_clock.offset_s

    # --- reads --------------------------------------------------------------------------------------------------------

    async def preflight(self) -> Preflight:
        """Clock, key, trade right, position mode. Raises `Denied` where the key is refused, `Unavailable` otherwise."""
        await self._client.time.learn(0.0)
        (_, payload), right = await together(read(self._client.get_position_mode()), self._trade_right())
        with usable("/api/v2/position/getPositionMode"):
            mode = codec.position_mode(payload)
        offset_s = self.clock_offset_s or 0.0
        problems = (*right, *codec.mode_problems(mode), *clock_problems(offset_s))
        return Preflight(problems, mode, None, offset_s)

    async def instruments(self) -> Mapping[Symbol, Instrument]:
        return await self._shared.once(INSTRUMENTS, INSTRUMENTS_MAX_AGE_S, self._all_instruments)

    async def positions(self) -> Positions:
        (answer, payload), _ = await together(read(self._client.get_all_position()), self._client.time.keep())
        with usable("/api/v1/positions"):
            by_symbol = codec.positions(payload)
        self._used |= by_symbol.keys()
        return Positions(by_symbol, answer.sent_at, answer.received_at)

    async def equity(self) -> Equity:
        answer, payload = await read(self._client.get_account_overview(currency=codec.CURRENCY))
        with usable("/api/v1/account-overview"):
            return Equity(codec.equity(payload, codec.CURRENCY), codec.CURRENCY, answer.received_at)

    async def prices(self, symbols: Collection[Symbol]) -> Mapping[Symbol, Price]:
        self._used.update(symbols)
        return await self._prices.of(symbols)

    async def leverage(self, symbol: Symbol) -> Leverage:
        """The symbol's margin mode, and its leverage where it has one: in cross margin."""
        self._used.add(symbol)
        name = codec.venue_symbol(symbol)
        _, payload = await read(self._client.get_margin_mode(name))
        with usable("/api/v2/position/getMarginMode"):
            mode = codec.margin_mode(payload)
        if mode is MarginMode.ISOLATED:
            return Leverage(symbol, None, mode)
        _, payload = await read(self._client.get_cross_user_leverage(name))
        with usable("/api/v2/getCrossUserLeverage"):
            return Leverage(symbol, codec.cross_leverage(payload), mode)

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        listed = await self._lists.orders("active")
        return tuple(row.open_order() for row in listed if not row.final)

    async def history(self, since: float) -> History:
        """Fills and funding since `since` (ours), in our time. It may begin up to a second early: tell by `exec_id`."""
        clock = self._client.venue_clock
        end_s = clock.now() + OVERLAP_S
        start_s = max(clock.venue(since) - OVERLAP_S, end_s - MAX_WEEKS * WEEK_S)
        found: list[orders.Execution] = []
        paid: list[Funding] = []
        while start_s < end_s:
            stop_s = min(start_s + WEEK_S, end_s)
            moved = await self._lists.fills(startAt=int(start_s * 1000), endAt=int(stop_s * 1000))
            found += await self._lists.named(moved, (start_s, stop_s), end_s)
            paid += await self._lists.funding(self._used, start_s, stop_s)
            start_s = stop_s
        return orders.history(found, paid, clock.offset_s or 0.0)

    async def find(self, symbol: Symbol, client_id: ClientId) -> OrderOutcome | None:
        """None only if every list it could be in answered and none knows the id; see `kucoin_finder`."""
        return await self._finder.find(symbol, client_id)

    def events(self) -> AsyncIterator[VenueEvent]:
        """Positions, orders, fills and equity as the venue tells of them; ends at once where there is no stream."""
        return no_events() if self.private_stream is None else private_events(self.private_stream.client, self._clock)

    # --- sends --------------------------------------------------------------------------------------------------------

    async def set_leverage(self, symbol: Symbol, leverage: Decimal, margin_mode: MarginMode) -> None:
        """Sets a symbol's leverage in cross margin. In isolated margin there is none to set: orders carry it."""
        if margin_mode is MarginMode.ISOLATED:
            raise Rejected("isolated leverage comes with the order that opens a position; nothing was sent", "isolated")
        name = codec.venue_symbol(symbol)
        errors.setting(await setting_answer(self._client.change_cross_user_leverage(name, plain(leverage))))

    async def set_margin_mode(self, symbol: Symbol | None, margin_mode: MarginMode, leverage: Decimal | None) -> None:
        """Sets the mode of one symbol; the venue refuses while a position or an order is open on it."""
        if symbol is None:
            raise OurFault("the margin mode belongs to a symbol on this venue; nothing was sent")
        word = codec.WIRE_MARGIN_MODES[margin_mode]
        errors.setting(await setting_answer(self._client.change_margin_mode(codec.venue_symbol(symbol), word)))

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Sets it for all contracts."""
        word = codec.WIRE_POSITION_MODES[mode]
        errors.setting(await setting_answer(self._client.switch_position_mode(word)))

    async def permit(self, cost: Cost) -> Permit:
        """Room for the order, and its timestamp. Raises `Unavailable` where there is none within the deadline."""
        await self._client.time.learn(KEPT_S)
        venue_clock = self._client.venue_clock
        priority = Priority.REDUCTION if cost.reduction else Priority.INCREASE
        lease = await self._client.room(weight_of("POST", ORDERS) * cost.orders, priority)
        stamp_ms = venue_clock.stamp_ms()
        self._leases.keep(stamp_ms, lease)
        return Permit(nonce=stamp_ms, valid_until=venue_clock.local(stamp_ms / 1000 + VALIDITY_S))

    async def place(self, order: PlaceOrder, client_id: ClientId, permit: Permit) -> Ack:
        fields = codec.order_fields(order, client_id)
        lease = self._leases.take(permit.nonce, self._client.venue_clock.now() * 1000)
        client = self._client.signed(permit.nonce, lease)
        create = client.create_limit_order if order.kind is OrderKind.LIMIT else client.create_market_order
        kept = {name: value for name, value in fields.items() if name not in ("type", "leverage")}
        answer = await order_answer(create(lever=fields.get("leverage"), **kept), client_id)
        order_id = errors.order_id(answer, client_id)
        self._finder.took(client_id, order_id, rests=order.tif is not TimeInForce.IOC)
        return Ack(order_id, answer.received_at)

    async def cancel(self, symbol: Symbol, client_id: ClientId) -> None:
        """Returns when the cancel is accepted or nothing is left to cancel; what had filled, `find` tells."""
        call = self._client.cancel_order_by_clientOid(client_id, codec.venue_symbol(symbol))
        errors.cancelled(await order_answer(call, client_id), client_id)

    async def close(self) -> None:
        """Nothing to close: transport and shared data belong to whoever made them."""
        self._leases.clear()

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _trade_right(self) -> list[Problem]:
        """Whether the key may trade, by the venue's own validation of an order, which places nothing.

        Any refusal but that of the key comes after the right was checked, so it says that the key has it.
        """
        mine = ClientId(self._entropy.bytes(16).hex())
        call = self._client.place_order_test(
            codec.venue_symbol(min(self._used, default=PROBE)), "buy", 1, "limit", mine, size=1, price="1"
        )
        try:
            errors.order_id(await call, mine)
        except TransportError as error:
            raise Unavailable(f"kucoin did not answer ({error}); whether the key may trade is not known") from None
        except Ambiguous as error:
            raise Unavailable(f"whether the key may trade is not known ({error})", error.code) from None
        except Denied as error:
            if error.code == errors.NO_PERMISSION:
                return [Problem(Scope.ALL, codec.NO_TRADE_RIGHT, codec.NO_TRADE_REMEDY)]
            if error.code not in (errors.HEDGED, errors.MODE_UNSET):
                raise
        except (Rejected, OurFault):
            pass  # refused for another reason: the right was there
        return []

    def _listed(self) -> Mapping[Symbol, Instrument] | None:
        """The instruments last read, whenever that was."""
        found: Mapping[Symbol, Instrument] | None = self._shared.peek(INSTRUMENTS)
        return found

    async def _all_instruments(self) -> Mapping[Symbol, Instrument]:
        answer, payload = await read(self._client.get_contracts_list())
        with usable(answer.place):
            return codec.instruments(payload)
