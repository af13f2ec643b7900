"""One Bybit account (V5, unified trading account, linear perpetuals, one-way mode), over REST and websockets.

Thin: it asks, and `codecs.bybit*` says what the answers mean. Reads that fail in any part fail whole. A send is made
once; whatever its answer does not prove is `Ambiguous`. Fences: a request counts until its timestamp is `validity_s`
old; a position carries the sequence number of the last execution it includes. The streams add speed and nothing else:
without them everything is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Collection, Mapping
from dataclasses import replace
from decimal import Decimal

from account_processors import Credentials, secret
from account_processors.budget import Priority
from account_processors.bybit_client import QUERY_LIMIT, RECV_WINDOW_MS, BybitClient, pages, read
from account_processors.bybit_prices import BybitPrices, tickers
from account_processors.bybit_stream import BASE_URL, STREAMS, PrivateStream, Surroundings
from account_processors.codecs import bybit as codec
from account_processors.codecs import bybit_errors as errors
from account_processors.codecs import bybit_orders as orders
from account_processors.codecs.wire import Answer, Malformed, Row
from account_processors.reading import Page, together, usable
from account_processors.sending import Leases, clock_problems, no_events, order_answer, setting_answer
from account_processors.shared import VenueShared
from account_processors.stream import private_events
from account_processors.stream_parts import stream_url
from account_processors.wiring import Wiring
from core.domain import (
    AccountId,
    Ack,
    Capabilities,
    ClientId,
    Cost,
    Equity,
    History,
    Instrument,
    Leverage,
    LeverageScope,
    MarginMode,
    MarginModeScope,
    OpenOrder,
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
    VenueEvent,
    plain,
)
from core.errors import Unavailable
from core.ports import Clock, Entropy, Transport

CREATE = "/v5/order/create"
INSTRUMENTS = "instruments"
INSTRUMENTS_MAX_AGE_S = 3600.0
MARGIN_MODE_MAX_AGE_S = 60.0
MAX_PROBES = 10
PROBE = Symbol("BTCUSDT")
"""Shows the position mode of an account that has nothing open and was asked for no symbol yet."""
WEEK_S = 7 * 86400.0
"""The longest span one history query may have."""
MAX_WEEKS = 105
"""Bybit keeps two years."""
OVERLAP_S = 1.0

CAPABILITIES = Capabilities(
    venue="bybit",
    leverage=LeverageScope.PER_SYMBOL,
    margin_mode_scope=MarginModeScope.ACCOUNT,
    leverage_in_place=True,
    client_id_prefix="",
    client_id_hex_digits=32,
    validity_s=RECV_WINDOW_MS / 1000,
    reads_per_s=float(QUERY_LIMIT),
    position_seq=True,
)


class BybitProcessor:
    """`ports.AccountProcessor` for one key. `shared` is that of all accounts at the same base URL.

    Without `ws_url` the streams are those that belong to `base_url`; where none are known, everything is read.
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
        key, private = secret(credentials, account, "api_key"), secret(credentials, account, "api_secret")
        self.account = account
        self._client = BybitClient(wiring, key, private)
        self._clock = clock
        self._shared = shared
        self._settle = codec.SETTLE_COINS[0]
        self._used: set[Symbol] = set()
        self._held: set[str] = set()
        self._leases = Leases(RECV_WINDOW_MS)
        self._info_key = f"account info of {account}"
        followed = None
        self.private_stream: PrivateStream | None = None
        if streams := stream_url(base_url, ws_url, BASE_URL, STREAMS):
            followed = shared.lasting(f"tickers at {streams}", lambda: tickers(streams, wiring, entropy))
            around = Surroundings(
                self._settle, self.instruments, lambda: shared.peek(INSTRUMENTS), self._held, self._margin_mode_seen
            )
            self.private_stream = PrivateStream(streams, self._client, wiring, entropy, around)
        self._prices = BybitPrices(self._client, shared, followed)
        self._capabilities = replace(CAPABILITIES, private_stream=self.private_stream is not None)

    def __repr__(self) -> str:
        return f"BybitProcessor({self.account})"

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def clock_offset_s(self) -> float | None:
        return self._client.venue_clock.offset_s

    # --- reads --------------------------------------------------------------------------------------------------------

    async def preflight(self) -> Preflight:
        """Clock, key, account and position mode. Raises `Denied` where the key is refused, `Unavailable` otherwise."""
        await read(self._client.get_server_time())
        (_, key), account, hedged = await together(
            read(self._client.get_api_key_information()),
            self._shared.once(self._info_key, 0.0, self._account_info),
            self._hedged(),
        )
        with usable("/v5/user/query-api, /v5/account/info"):
            problems = [*codec.key_problems(key), *codec.account_problems(account)]
            mode = codec.margin_mode(account)
        if hedged:
            problems.append(Problem(Scope.ALL, codec.HEDGE_MODE, codec.HEDGE_REMEDY))
        offset_s = self.clock_offset_s or 0.0
        problems += clock_problems(offset_s)
        unique = {problem.code: problem for problem in problems}
        position_mode = PositionMode.HEDGE if hedged else PositionMode.ONE_WAY
        return Preflight(tuple(unique.values()), position_mode, mode, offset_s)

    async def instruments(self) -> Mapping[Symbol, Instrument]:
        return await self._shared.once(INSTRUMENTS, INSTRUMENTS_MAX_AGE_S, self._all_instruments)

    async def positions(self) -> Positions:
        coins = self._coins()
        found, mode = await together(self._open_positions(coins), self._margin_mode_if_known())
        if late := [coin for coin in self._coins() if coin not in coins]:  # a symbol was first named meanwhile
            found += await self._open_positions(late)
        with usable("/v5/position/list"):
            by_symbol = codec.positions([result for _, result in found], mode)
        answers = [answer for answer, _ in found]
        return Positions(
            by_symbol, min(answer.sent_at for answer in answers), max(answer.received_at for answer in answers)
        )

    async def equity(self) -> Equity:
        answer, result = await read(self._client.get_wallet_balance(accountType="UNIFIED", coin=self._settle))
        with usable("/v5/account/wallet-balance"):
            return Equity(codec.equity(result, self._settle), self._settle, answer.received_at)

    async def prices(self, symbols: Collection[Symbol]) -> Mapping[Symbol, Price]:
        self._used.update(symbols)
        return await self._prices.of(symbols)

    async def leverage(self, symbol: Symbol) -> Leverage:
        self._used.add(symbol)
        (_, result), mode = await together(
            read(self._client.get_positions(category=codec.CATEGORY, symbol=symbol)), self._margin_mode()
        )
        with usable("/v5/position/list"):
            return codec.leverage(result, symbol, mode)

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        query = {"category": codec.CATEGORY, "openOnly": 0, "limit": 50}
        found = await together(
            *(pages(self._client.get_open_orders, query | {"settleCoin": coin}) for coin in self._coins())
        )
        with usable("/v5/order/realtime"):
            listed = [row for of_coin in found for _, result in of_coin for row in orders.order_rows(result)]
        return tuple(row.open_order() for row in listed if not row.final)

    async def history(self, since: float) -> History:
        """Fills and funding since `since` (ours), in our time. It may begin up to a second early: tell by `exec_id`."""
        clock = self._client.venue_clock
        end_s = clock.now() + OVERLAP_S
        start_s = max(clock.venue(since) - OVERLAP_S, end_s - MAX_WEEKS * WEEK_S)
        found: list[orders.Execution] = []
        funding = []
        while start_s < end_s:
            stop_s = min(start_s + WEEK_S, end_s)
            query = {
                "category": codec.CATEGORY,
                "startTime": int(start_s * 1000),
                "endTime": int(stop_s * 1000),
                "limit": 100,
            }
            for _, result in await pages(self._client.get_executions, query):
                with usable("/v5/execution/list"):
                    moved, paid = orders.executions(result)
                found += moved
                funding += paid
            start_s = stop_s
        return orders.history(found, funding, clock.offset_s or 0.0)

    async def find(self, symbol: Symbol, client_id: ClientId) -> OrderOutcome | None:
        """Open and recent orders, then the history, then executions; None only if all three said it is unknown."""
        query = {"category": codec.CATEGORY, "symbol": symbol, "orderLinkId": client_id}
        rows: list[orders.OrderRow] = []
        for call in (self._client.get_open_orders, self._client.get_order_history):
            found = await pages(call, query | {"limit": 50})
            with usable("order lookup"):
                rows = [row for _, result in found for row in orders.order_rows(result) if row.client_id == client_id]
            if rows:
                break
        if rows and not all(row.final for row in rows):
            return orders.outcome(rows, ())
        found = await pages(self._client.get_executions, query | {"limit": 100})
        with usable("/v5/execution/list"):
            moved = [one for _, result in found for one in orders.executions(result)[0]]
        return orders.outcome(rows, [one for one in moved if one.fill.client_id == client_id])

    def events(self) -> AsyncIterator[VenueEvent]:
        """Positions, orders, fills and equity as the venue tells of them; ends at once where there is no stream."""
        return no_events() if self.private_stream is None else private_events(self.private_stream.client, self._clock)

    # --- sends --------------------------------------------------------------------------------------------------------

    async def set_leverage(self, symbol: Symbol, leverage: Decimal, margin_mode: MarginMode) -> None:
        """Sets both sides to `leverage`. The margin mode is account-wide here and stays as it is."""
        value = plain(leverage)
        query = {"category": codec.CATEGORY, "symbol": symbol, "buyLeverage": value, "sellLeverage": value}
        await self._set(self._client.set_leverage(**query), errors.LEVERAGE_NOT_MODIFIED)

    async def set_margin_mode(self, symbol: Symbol | None, margin_mode: MarginMode, leverage: Decimal | None) -> None:
        """Sets the mode of the whole account, whatever `symbol` is; Bybit refuses while some positions are open."""
        self._shared.forget(self._info_key)
        word = codec.WIRE_MARGIN_MODES[margin_mode]
        await self._set(self._client.set_margin_mode(setMarginMode=word), errors.MARGIN_MODE_NOT_MODIFIED)

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Sets it for all USDT contracts without position and order; USDC contracts know one-way mode only."""
        query = {"category": codec.CATEGORY, "coin": "USDT", "mode": codec.WIRE_POSITION_MODES[mode]}
        await self._set(self._client.switch_position_mode(**query), errors.POSITION_MODE_NOT_MODIFIED)

    async def permit(self, cost: Cost) -> Permit:
        """Room for the order, and its timestamp. Raises `Unavailable` where there is none within the deadline."""
        venue_clock = self._client.venue_clock
        priority = Priority.REDUCTION if cost.reduction else Priority.INCREASE
        lease = await self._client.room(CREATE, priority, cost.orders)
        stamp_ms = venue_clock.stamp_ms()
        self._leases.keep(stamp_ms, lease)
        return Permit(
            nonce=stamp_ms,
            valid_until=venue_clock.local((stamp_ms + RECV_WINDOW_MS) / 1000),
            fields={"recv_window_ms": str(RECV_WINDOW_MS)},
        )

    async def place(self, order: PlaceOrder, client_id: ClientId, permit: Permit) -> Ack:
        body = codec.order_body(order, client_id)
        lease = self._leases.take(permit.nonce, self._client.venue_clock.now() * 1000)
        answer = await order_answer(self._client.signed(permit.nonce, lease).place_order(**body), client_id)
        return Ack(errors.order_id(answer, client_id), answer.received_at)

    async def cancel(self, symbol: Symbol, client_id: ClientId) -> None:
        """Returns when the cancel is accepted or nothing is left to cancel; what had filled, `find` tells."""
        query = {"category": codec.CATEGORY, "symbol": symbol, "orderLinkId": client_id}
        answer = await order_answer(self._client.cancel_order(**query), client_id)
        errors.cancelled(answer, client_id)

    async def close(self) -> None:
        """Nothing to close: transport and shared data belong to whoever made them."""
        self._leases.clear()

    # --- parts --------------------------------------------------------------------------------------------------------

    def _coins(self) -> tuple[str, ...]:
        """Settle coins whose positions belong to a complete read.

        USDT always; another one unless every symbol asked for so far is known to settle elsewhere and no position in
        it was ever seen.
        """
        known: Mapping[Symbol, Instrument] | None = self._shared.peek(INSTRUMENTS)
        if known is None or not self._used or not self._used <= known.keys():
            return codec.SETTLE_COINS
        in_use = self._held | {known[symbol].settle for symbol in self._used}
        return tuple(coin for coin in codec.SETTLE_COINS if coin == self._settle or coin in in_use)

    async def _open_positions(self, coins: Collection[str]) -> list[Page]:
        query = {"category": codec.CATEGORY, "limit": 200}
        found = await together(*(pages(self._client.get_positions, query | {"settleCoin": coin}) for coin in coins))
        self._held |= {coin for coin, of_coin in zip(coins, found, strict=True) if any(p["list"] for _, p in of_coin)}
        return [page for of_coin in found for page in of_coin]

    async def _hedged(self) -> bool:
        """Whether any open position, or any symbol in use, is in hedge mode. Flat rows show it too, by symbol only."""
        probes = sorted(self._used)[:MAX_PROBES] or [PROBE]
        calls = (read(self._client.get_positions(category=codec.CATEGORY, symbol=symbol)) for symbol in probes)
        found = await together(self._open_positions(codec.SETTLE_COINS), *calls)
        with usable("/v5/position/list"):
            return any(codec.hedged(result) for _, result in [*found[0], *found[1:]])

    async def _account_info(self) -> Row:
        return (await read(self._client.get_account_info()))[1]

    async def _margin_mode(self) -> MarginMode | None:
        info = await self._shared.once(self._info_key, MARGIN_MODE_MAX_AGE_S, self._account_info)
        with usable("/v5/account/info"):
            return codec.margin_mode(info)

    async def _margin_mode_if_known(self) -> MarginMode | None:
        """For a read of positions: a mode that cannot be learnt now is no reason not to know the sizes."""
        try:
            return await self._margin_mode()
        except Unavailable:
            return None

    def _margin_mode_seen(self) -> MarginMode | None:
        """As last read, whenever that was."""
        info: Row | None = self._shared.peek(self._info_key)
        try:
            return None if info is None else codec.margin_mode(info)
        except Malformed:
            return None

    async def _all_instruments(self) -> dict[Symbol, Instrument]:
        found: dict[Symbol, Instrument] = {}
        for _, result in await pages(self._client.get_instruments_info, {"category": codec.CATEGORY, "limit": 1000}):
            with usable("/v5/market/instruments-info"):
                found |= codec.instruments(result)
        return found

    async def _set(self, call: Awaitable[Answer], benign: int) -> None:
        answer = await setting_answer(call)
        errors.setting(answer, {benign})
