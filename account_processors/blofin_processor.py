"""One BloFin account (USDT perpetuals, net mode), over REST and the private websocket.

Thin: it asks, and `codecs.blofin*` says what the answers mean. Reads that fail in any part fail whole. A send is made
once; whatever its answer does not prove is `Ambiguous`. Fence: a request counts until its timestamp is a minute old.
The stream adds speed and nothing else: without it everything is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from decimal import Decimal

from account_processors import Credentials, secret
from account_processors.blofin_client import TRADING_LIMIT, VALID_MS, BloFinClient, read
from account_processors.blofin_lists import OrderLists
from account_processors.blofin_stream import BASE_URL, STREAMS, Listings, PrivateStream
from account_processors.budget import Priority
from account_processors.codecs import blofin as codec
from account_processors.codecs import blofin_errors as errors
from account_processors.codecs.orders import history
from account_processors.codecs.wire import Row
from account_processors.reading import together, usable
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

INSTRUMENTS = "instruments"
INSTRUMENTS_MAX_AGE_S = 3600.0
MARGIN_MODE_MAX_AGE_S = 60.0
PERMIT_MS = 5_000
"""A permit that is older serves no order: what it was planned on is out of date."""
OVERLAP_S = 1.0
MOST_LEVERAGES = 20
"""Contracts whose leverage one request may ask for (https://docs.blofin.com, GET Multiple Leverage)."""
CAPABILITIES = Capabilities(
    venue="blofin",
    leverage=LeverageScope.PER_SYMBOL,
    margin_mode_scope=MarginModeScope.ACCOUNT,
    leverage_in_place=True,
    client_id_prefix="",
    client_id_hex_digits=32,
    validity_s=VALID_MS / 1000,
    reads_per_s=TRADING_LIMIT[0] / TRADING_LIMIT[1],
)


class BloFinProcessor:
    """`ports.AccountProcessor` for one key. `shared` is that of all accounts at the same base URL.

    Without `ws_url` the stream is the one that belongs to `base_url`; where none is known, everything is read.
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
        wiring = Wiring(account, (base_url or BASE_URL).rstrip("/"), transport, clock, shared, deadline_s)
        fields = [secret(credentials, account, name) for name in ("api_key", "api_secret", "api_passphrase")]
        self.account = account
        self._client = BloFinClient(wiring, *fields)
        self._clock = clock
        self._shared = shared
        self._leases = Leases(PERMIT_MS)
        self._mode_key = f"margin mode of {account}"
        self._lists = OrderLists(self._client, shared, account)
        self.private_stream: PrivateStream | None = None
        if streams := stream_url(base_url, ws_url, BASE_URL, STREAMS):
            listings = Listings(self.instruments, lambda: shared.peek(INSTRUMENTS))
            self.private_stream = PrivateStream(streams, self._client, wiring, entropy, listings)
        self._capabilities = replace(CAPABILITIES, private_stream=self.private_stream is not None)

    def __repr__(self) -> str:
        return f"BloFinProcessor({self.account})"

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def clock_offset_s(self) -> float | None:
        return self._client.venue_clock.offset_s

    # --- reads --------------------------------------------------------------------------------------------------------

    async def preflight(self) -> Preflight:
        """Clock, key, position and margin mode. Raises `Denied` where the key is refused, `Unavailable` otherwise."""
        await read(self._client.call("publicGetMarketMarkPrice"))  # the one answer that says what time it is
        (_, key), (_, position), mode = await together(
            read(self._client.call("privateGetUserQueryApikey")),
            read(self._client.call("privateGetAccountPositionMode")),
            self._shared.once(self._mode_key, 0.0, self._read_margin_mode),
        )
        with usable("/user/query-apikey, /account/position-mode"):
            problems = codec.key_problems(key)
            position_mode = codec.position_mode(position)
        if position_mode is PositionMode.HEDGE:
            problems.append(Problem(Scope.ALL, codec.HEDGE_MODE, codec.HEDGE_REMEDY))
        offset_s = self.clock_offset_s or 0.0
        return Preflight((*problems, *clock_problems(offset_s)), position_mode, mode, offset_s)

    async def instruments(self) -> Mapping[Symbol, Instrument]:
        return await self._shared.once(INSTRUMENTS, INSTRUMENTS_MAX_AGE_S, self._all_instruments)

    async def positions(self) -> Positions:
        answer, payload = await read(self._client.call("privateGetAccountPositions"))
        with usable(answer.place):
            return Positions(codec.positions(payload), answer.sent_at, answer.received_at)

    async def equity(self) -> Equity:
        answer, payload = await read(self._client.call("privateGetAccountBalance"))
        with usable(answer.place):
            return Equity(codec.equity(payload, codec.SETTLE), codec.SETTLE, answer.received_at)

    async def prices(self, symbols: Collection[Symbol]) -> Mapping[Symbol, Price]:
        if not symbols:
            return {}
        found = await self._shared.batch("prices", symbols, self._quoted, everything_above=1)
        return codec.prices(found, symbols)

    async def leverage(self, symbol: Symbol) -> Leverage:
        """That of the account's margin mode: the venue keeps one leverage for each."""
        instrument, mode = await together(self._instrument(symbol), self._margin_mode())
        inst_id = instrument.venue_symbol

        async def fetch(wanted: frozenset[str]) -> Mapping[str, Row]:
            return await self._leverages(sorted(wanted), mode)

        name = f"leverages of {self.account}, {mode}"
        found = await self._shared.batch(name, [inst_id], fetch, everything_above=10**9, fresh=True)
        if inst_id not in found:
            raise Unavailable(f"blofin /api/v1/account/batch-leverage-info: nothing about {inst_id}")
        with usable("/account/batch-leverage-info"):
            return codec.leverage(found[inst_id], symbol)

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        return tuple(row.open_order() for row in await self._lists.active())

    async def history(self, since: float) -> History:
        """Fills since `since` (ours), in our time; it may begin up to a second early: tell by `exec_id`.

        No funding: the documentation has no list of it.
        """
        clock = self._client.venue_clock
        listed = await self.instruments()
        names = {symbol: instrument.venue_symbol for symbol, instrument in listed.items()}
        found = await self._lists.executions(clock.venue(since) - OVERLAP_S, names)
        return history(found, (), clock.offset_s or 0.0)

    async def find(self, symbol: Symbol, client_id: ClientId) -> OrderOutcome | None:
        return await self._lists.find((await self._instrument(symbol)).venue_symbol, client_id)

    def events(self) -> AsyncIterator[VenueEvent]:
        """Positions, orders, fills and equity as the venue tells of them; ends at once where there is no stream."""
        return no_events() if self.private_stream is None else private_events(self.private_stream.client, self._clock)

    # --- sends --------------------------------------------------------------------------------------------------------

    async def set_leverage(self, symbol: Symbol, leverage: Decimal, margin_mode: MarginMode) -> None:
        inst_id = (await self._instrument(symbol)).venue_symbol
        query = {"instId": inst_id, "leverage": plain(leverage), "marginMode": margin_mode.value}
        errors.setting(await setting_answer(self._client.call("privatePostAccountSetLeverage", query)))

    async def set_margin_mode(self, symbol: Symbol | None, margin_mode: MarginMode, leverage: Decimal | None) -> None:
        """Sets the mode of the whole account, whatever `symbol` is; refused while anything is open."""
        query = {"marginMode": margin_mode.value}
        try:
            errors.setting(await setting_answer(self._client.call("privatePostAccountSetMarginMode", query)))
        finally:
            self._shared.forget(self._mode_key)

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Sets it for every symbol; refused while anything is open."""
        query = {"positionMode": codec.WIRE_POSITION_MODES[mode]}
        errors.setting(await setting_answer(self._client.call("privatePostAccountSetPositionMode", query)))

    async def permit(self, cost: Cost) -> Permit:
        """Room for the order, and its timestamp. Raises `Unavailable` where there is none within the deadline."""
        if self._shared.peek(INSTRUMENTS) is None:
            await self.instruments()  # `place` needs the venue's names and may not wait for them
        priority = Priority.REDUCTION if cost.reduction else Priority.INCREASE
        lease = await self._client.room(True, priority, cost.orders)
        stamp_ms = self._client.stamp_ms()
        self._leases.keep(stamp_ms, lease)
        return Permit(nonce=stamp_ms, valid_until=self._client.venue_clock.local((stamp_ms + VALID_MS) / 1000))

    async def place(self, order: PlaceOrder, client_id: ClientId, permit: Permit) -> Ack:
        lease = self._leases.take(permit.nonce, self._client.venue_clock.now() * 1000)
        known: Mapping[Symbol, Instrument] = self._shared.peek(INSTRUMENTS) or {}
        if order.symbol not in known:
            raise Unavailable(f"the venue lists no {order.symbol}; nothing was sent, the engine plans again")
        body = codec.order_body(order, known[order.symbol].venue_symbol, client_id)
        self._lists.sent(client_id, permit.nonce)
        call = self._client.call("privatePostTradeOrder", body, permit.nonce, lease)
        answer = await order_answer(call, client_id)
        order_id = errors.order_id(answer, client_id)
        self._lists.acknowledged(order_id, client_id)
        return Ack(order_id, answer.received_at)

    async def cancel(self, symbol: Symbol, client_id: ClientId) -> None:
        """Returns when the cancel is accepted or nothing is left to cancel; what had filled, `find` tells."""
        query = {"instId": (await self._instrument(symbol)).venue_symbol, "clientOrderId": client_id}
        if (order_id := self._lists.order_id(client_id)) is not None:
            query["orderId"] = order_id
        answer = await order_answer(self._client.call("privatePostTradeCancelOrder", query), client_id)
        errors.cancelled(answer, client_id)

    async def close(self) -> None:
        """Nothing to close: transport and shared data belong to whoever made them."""
        self._leases.clear()

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _all_instruments(self) -> dict[Symbol, Instrument]:
        answer, payload = await read(self._client.call("publicGetMarketInstruments"))
        with usable(answer.place):
            return codec.instruments(payload)

    async def _instrument(self, symbol: Symbol) -> Instrument:
        """Raises `Unavailable` for a symbol the venue does not list."""
        listed = await self.instruments()
        if symbol not in listed:
            raise Unavailable(f"blofin lists no {symbol}; leave it out of this account's symbols")
        return listed[symbol]

    async def _quoted(self, symbols: frozenset[str]) -> Mapping[str, codec.Quoted]:
        """Mark prices and tickers: of one contract if only one is wanted and its name known, else of all."""
        known: Mapping[str, Instrument] = self._shared.peek(INSTRUMENTS) or {}
        only = known.get(next(iter(symbols))) if len(symbols) == 1 else None
        query = {} if only is None else {"instId": only.venue_symbol}
        try:
            (answer, marks), (_, tickers) = await together(
                read(self._client.call("publicGetMarketMarkPrice", query)),
                read(self._client.call("publicGetMarketTickers", query)),
            )
        except Unavailable as error:
            if only is not None and error.code == errors.UNKNOWN_INSTRUMENT:
                return {symbol: codec.Quoted({}, {}, 0.0) for symbol in symbols}  # not listed any more: no price
            raise
        with usable("/market/mark-price, /market/tickers"):
            return codec.quoted(marks, tickers, answer.received_at)

    async def _read_margin_mode(self) -> MarginMode:
        answer, payload = await read(self._client.call("privateGetAccountMarginMode"))
        with usable(answer.place):
            return codec.margin_mode(payload)

    async def _margin_mode(self) -> MarginMode:
        return await self._shared.once(self._mode_key, MARGIN_MODE_MAX_AGE_S, self._read_margin_mode)

    async def _leverages(self, inst_ids: list[str], mode: MarginMode) -> dict[str, Row]:
        parts = [inst_ids[at : at + MOST_LEVERAGES] for at in range(0, len(inst_ids), MOST_LEVERAGES)]
        queries = ({"instId": ",".join(part), "marginMode": mode.value} for part in parts)
        endpoint = "privateGetAccountBatchLeverageInfo"
        found = await together(*(read(self._client.call(endpoint, query)) for query in queries))
        with usable("/account/batch-leverage-info"):
            return {name: row for _, payload in found for name, row in codec.leverages(payload).items()}
