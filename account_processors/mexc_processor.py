"""One MEXC futures account (linear perpetuals, one-way mode), over REST and the private websocket.

Thin: it asks, and `codecs.mexc*` says what the answers mean. Reads that fail in any part fail whole. A send is made
once; whatever its answer does not prove is `Ambiguous`. Fence: a request counts until its timestamp is ten seconds old.
The streams add speed and nothing else: without them everything is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from decimal import Decimal

from account_processors import Credentials, secret
from account_processors.budget import Priority
from account_processors.codecs import mexc as codec
from account_processors.codecs import mexc_errors as errors
from account_processors.codecs.orders import history
from account_processors.mexc_client import CREATE, LEVERAGE, PRIVATE_LIMIT, WINDOW_S, MexcClient, read
from account_processors.mexc_lists import OVERLAP_S, OrderLists
from account_processors.mexc_prices import MexcPrices, tickers
from account_processors.mexc_stream import BASE_URL, STREAMS, Around, PrivateStream
from account_processors.reading import together, usable
from account_processors.sending import Leases, clock_problems, no_events, order_answer, setting_answer
from account_processors.server_time import KEPT_S
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
    TimeInForce,
    VenueEvent,
)
from core.errors import Ambiguous, Denied, OurFault, Rejected, Unavailable
from core.ports import Clock, Entropy, Transport

INSTRUMENTS = "instruments"
INSTRUMENTS_MAX_AGE_S = 3600.0
PERMIT_MS = 5_000
"""A permit that is older serves no order: what it was planned on is out of date."""
POSITIONS, MODE = "contractPrivateGetPositionOpenPositions", "contractPrivateGetPositionPositionMode"
CANCEL = "contractPrivatePostOrderBatchCancelWithExternal"
PROBE = Symbol("BTCUSDT")

CAPABILITIES = Capabilities(
    venue="mexc",
    leverage=LeverageScope.PER_ORDER,
    margin_mode_scope=MarginModeScope.ORDER,
    leverage_in_place=True,
    client_id_prefix="",
    client_id_hex_digits=32,
    validity_s=WINDOW_S,
    reads_per_s=PRIVATE_LIMIT[0] / PRIVATE_LIMIT[1],
)
"""Leverage and margin mode come with the order that opens. An open position's leverage changes by the position's id,
which the venue refuses in cross margin; a refusal holds increases."""


class MexcProcessor:
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
        wiring = Wiring(account, (base_url or BASE_URL).rstrip("/"), transport, clock, shared, deadline_s)
        key, private = secret(credentials, account, "api_key"), secret(credentials, account, "api_secret")
        self.account = account
        self._client = MexcClient(wiring, key, private)
        self._clock = clock
        self._entropy = entropy
        self._shared = shared
        self._used: set[Symbol] = set()
        self._mode: PositionMode | None = None
        self._leases = Leases(PERMIT_MS)
        self._lists = OrderLists(self._client, shared, account)
        followed = None
        self.private_stream: PrivateStream | None = None
        if streams := stream_url(base_url, ws_url, BASE_URL, STREAMS):
            followed = shared.lasting(f"tickers at {streams}", lambda: tickers(streams, wiring, entropy, self._listed))
            around = Around(self.instruments, self._listed, self._read_mode, self._moded)
            self.private_stream = PrivateStream(streams, self._client, wiring, entropy, around)
        self._prices = MexcPrices(self._client, shared, self._listed, followed)
        self._capabilities = replace(CAPABILITIES, private_stream=self.private_stream is not None)

    def __repr__(self) -> str:
        return f"MexcProcessor({self.account})"

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def clock_offset_s(self) -> float | None:
        return self._client.venue_clock.offset_s

    # --- reads --------------------------------------------------------------------------------------------------------

    async def preflight(self) -> Preflight:
        """Clock, key, trade right, position mode, and whether orders are taken over the API at all.

        Raises `Denied` where the key is refused, `Unavailable` otherwise.
        """
        await self._client.time.learn(0.0)
        mode, listed = await together(self._read_mode(), self.instruments())
        problems = [*await self._trade_right(listed), *codec.mode_problems(mode)]
        if not any(instrument.tradable for instrument in listed.values()):
            problems.append(Problem(Scope.INCREASES, codec.API_CLOSED, codec.NOTHING_ALLOWED))
        offset_s = self.clock_offset_s or 0.0
        return Preflight((*problems, *clock_problems(offset_s)), mode, None, offset_s)

    async def instruments(self) -> Mapping[Symbol, Instrument]:
        return await self._shared.once(INSTRUMENTS, INSTRUMENTS_MAX_AGE_S, self._all_instruments)

    async def positions(self) -> Positions:
        """Raises `Denied` in hedge mode as last read: one leg of it looks like a net position."""
        if self._mode is PositionMode.HEDGE:
            raise Denied(codec.HEDGE_REMEDY, codec.HEDGE_MODE)
        (answer, payload), _ = await together(read(self._client.call(POSITIONS)), self._client.time.keep())
        with usable(answer.place):
            by_symbol = codec.positions(payload)
        self._used |= by_symbol.keys()
        return Positions(by_symbol, answer.sent_at, answer.received_at)

    async def equity(self) -> Equity:
        answer, payload = await read(self._client.call("contractPrivateGetAccountAssets"))
        with usable(answer.place):
            return Equity(codec.equity(payload, codec.SETTLE), codec.SETTLE, answer.received_at)

    async def prices(self, symbols: Collection[Symbol]) -> Mapping[Symbol, Price]:
        self._used.update(symbols)
        return await self._prices.of(symbols)

    async def leverage(self, symbol: Symbol) -> Leverage:
        """What the venue keeps for a symbol; the order that opens brings its own."""
        name = (await self._instrument(symbol)).venue_symbol
        answer, payload = await read(self._client.call("contractPrivateGetPositionLeverage", {"symbol": name}))
        with usable(answer.place):
            return codec.leverage(payload, symbol)

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        return tuple(row.open_order() for row in await self._lists.active() if not row.final)

    async def history(self, since: float) -> History:
        """Fills and funding since `since` (ours), in our time. It may begin up to a second early: tell by `exec_id`."""
        clock = self._client.venue_clock
        names = {symbol: one.venue_symbol for symbol, one in (await self.instruments()).items()}
        begin_s = clock.venue(since) - OVERLAP_S
        found, paid = await together(
            self._lists.executions(begin_s, names, self._used), self._lists.funding(begin_s, clock.now() + OVERLAP_S)
        )
        return history(found, paid, clock.offset_s or 0.0)

    async def find(self, symbol: Symbol, client_id: ClientId) -> OrderOutcome | None:
        """None only if every list it could be in answered and none knows the id; see `mexc_lists`."""
        return await self._lists.find((await self._instrument(symbol)).venue_symbol, client_id)

    def events(self) -> AsyncIterator[VenueEvent]:
        """Positions, orders and fills as the venue tells of them; ends at once where there is no stream."""
        return no_events() if self.private_stream is None else private_events(self.private_stream.client, self._clock)

    # --- sends --------------------------------------------------------------------------------------------------------

    async def set_leverage(self, symbol: Symbol, leverage: Decimal, margin_mode: MarginMode) -> None:
        """Changes the leverage of the open position, by its id; a flat symbol has none to change: orders bring it."""
        answer, payload = await read(self._client.call(POSITIONS))
        with usable(answer.place):
            number = codec.position_ids(payload).get(symbol)
        if number is None:
            why = "leverage comes with the order that opens a position, and none is open; nothing was sent"
            raise Rejected(why, "flat")
        body = {"positionId": number, "leverage": codec.whole(leverage)}
        errors.setting(await setting_answer(self._client.call(LEVERAGE, body)))

    async def set_margin_mode(self, symbol: Symbol | None, margin_mode: MarginMode, leverage: Decimal | None) -> None:
        """There is none to set: the order that opens a position says its mode."""
        raise Rejected("the margin mode comes with the order that opens a position; nothing was sent", "with_order")

    async def set_position_mode(self, mode: PositionMode) -> None:
        """Sets it for all contracts; refused while anything is open."""
        body = {"positionMode": codec.MODE_NUMBERS[mode]}
        self._mode = None
        errors.setting(await setting_answer(self._client.call("contractPrivatePostPositionChangePositionMode", body)))

    async def permit(self, cost: Cost) -> Permit:
        """Room for the order, and its timestamp. Raises `Unavailable` where there is none within the deadline."""
        if self._shared.peek(INSTRUMENTS) is None:
            await self.instruments()  # `place` needs the venue's names and may not wait for them
        await self._client.time.learn(KEPT_S)
        priority = Priority.REDUCTION if cost.reduction else Priority.INCREASE
        lease = await self._client.room(CREATE, priority, cost.orders)
        stamp_ms = self._client.venue_clock.stamp_ms()
        self._leases.keep(stamp_ms, lease)
        return Permit(nonce=stamp_ms, valid_until=self._client.venue_clock.local(stamp_ms / 1000 + WINDOW_S))

    async def place(self, order: PlaceOrder, client_id: ClientId, permit: Permit) -> Ack:
        lease = self._leases.take(permit.nonce, self._client.venue_clock.now() * 1000)
        known: Mapping[Symbol, Instrument] = self._shared.peek(INSTRUMENTS) or {}
        if order.symbol not in known:
            raise Unavailable(f"the venue lists no {order.symbol}; nothing was sent, the engine plans again")
        body = codec.order_body(order, known[order.symbol].venue_symbol, client_id)
        self._lists.sent(client_id, permit.nonce, rests=order.tif is not TimeInForce.IOC)
        answer = await order_answer(self._client.call(CREATE, body, permit.nonce, lease), client_id)
        order_id = errors.order_id(answer, client_id)
        self._lists.acknowledged(order_id, client_id)
        return Ack(order_id, answer.received_at)

    async def cancel(self, symbol: Symbol, client_id: ClientId) -> None:
        """Returns when the cancel is accepted or nothing is left to cancel; what had filled, `find` tells."""
        pair = {"symbol": (await self._instrument(symbol)).venue_symbol, "externalOid": client_id}
        errors.cancelled(await order_answer(self._client.call(CANCEL, [pair]), client_id), client_id)

    async def close(self) -> None:
        """Nothing to close: transport and shared data belong to whoever made them."""
        self._leases.clear()

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _trade_right(self, listed: Collection[Symbol]) -> list[Problem]:
        """Whether the key may place orders: by cancelling one that does not exist, which asks for the same right.

        Any refusal but those of the key and of a closed API comes after the right was checked, so the key has it.
        """
        try:
            await self.cancel(
                min(self._used.intersection(listed), default=PROBE), ClientId(self._entropy.bytes(16).hex())
            )
        except Ambiguous as error:
            raise Unavailable(f"whether the key may trade is not known ({error})", error.code) from None
        except (Denied, Rejected) as error:
            if error.code in errors.NO_RIGHT:
                return [Problem(Scope.ALL, codec.NO_TRADE_RIGHT, codec.NO_TRADE_REMEDY)]
            if error.code in errors.CLOSED:
                return [Problem(Scope.ALL, codec.API_CLOSED, codec.API_CLOSED_REMEDY.format(why=error))]
            if isinstance(error, Denied):
                raise
        except OurFault:
            pass  # refused for another reason: the right was there
        return []

    async def _read_mode(self) -> PositionMode:
        answer, payload = await read(self._client.call(MODE))
        with usable(answer.place):
            self._mode = codec.position_mode(payload)
        return self._mode

    def _moded(self, mode: PositionMode) -> None:
        self._mode = mode

    def _listed(self) -> Mapping[Symbol, Instrument] | None:
        listed: Mapping[Symbol, Instrument] | None = self._shared.peek(INSTRUMENTS)
        return listed

    async def _all_instruments(self) -> dict[Symbol, Instrument]:
        answer, payload = await read(self._client.call("contractPublicGetDetail"))
        with usable(answer.place):
            return codec.instruments(payload)

    async def _instrument(self, symbol: Symbol) -> Instrument:
        """Raises `Unavailable` for a symbol the venue does not list."""
        listed = await self.instruments()
        if symbol not in listed:
            raise Unavailable(f"mexc lists no {symbol}; leave it out of this account's symbols")
        return listed[symbol]
