"""One Hyperliquid account (perpetuals of the first exchange, USDC), over REST and a websocket.

Thin: it asks, and `codecs.hyperliquid*` says what the answers mean. Reads that fail in any part fail whole. A send is
made once; whatever its answer does not prove is `Ambiguous`. Fences: an action is not executed after its
`expiresAfter`, and the nonce of an order that is nowhere by then is used up before its absence counts. There are no
market orders: what closes is an IOC limit. Leverage and margin mode are one setting. The stream adds speed and nothing
else: without it everything is read.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from decimal import Decimal

from account_processors import Credentials, secret
from account_processors.budget import Priority
from account_processors.codecs import hyperliquid as codec
from account_processors.codecs import hyperliquid_errors as errors
from account_processors.codecs import hyperliquid_orders as orders
from account_processors.codecs.hyperliquid_signing import Wallet, address
from account_processors.codecs.orders import history
from account_processors.codecs.wire import Row, table
from account_processors.hyperliquid_client import VALID_MS, HyperliquidClient, Stamp, by_time, read
from account_processors.hyperliquid_finder import Finder
from account_processors.hyperliquid_preflight import Examiner
from account_processors.hyperliquid_stream import BASE_URL, STREAMS, PrivateStream
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
    Symbol,
    TimeInForce,
    VenueEvent,
)
from core.errors import ConfigError, OurFault, Rejected, Unavailable
from core.ports import Clock, Entropy, Transport

LISTED = "listed"
LISTED_MAX_AGE_S = 3600.0
OVERLAP_S = 1.0
EXPIRES = "expires_after_ms"

CAPABILITIES = Capabilities(
    venue="hyperliquid",
    leverage=LeverageScope.WITH_MARGIN_MODE,
    margin_mode_scope=MarginModeScope.SYMBOL,
    leverage_in_place=True,
    client_id_prefix="0x",
    client_id_hex_digits=32,
    validity_s=VALID_MS / 1000,
    reads_per_s=2.7,
    market_orders=False,
    reductions_have_minimum=True,
)
"""`reads_per_s`: 20 of weight a second for an address; the state of an account has 2, all prices together 20."""


class HyperliquidProcessor:
    """`ports.AccountProcessor` for one wallet. `shared` is that of all accounts at the same base URL.

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
        self.account = account
        self._client = client_of(wiring, credentials, account)
        self._shared = shared
        self._leases = Leases(VALID_MS)
        self._finder = Finder(self._client)
        self._state_of = f"state of {account}"
        self._clock = clock
        self.private_stream: PrivateStream | None = None
        if stream := stream_url(base_url, ws_url, BASE_URL, STREAMS):
            self.private_stream = PrivateStream(stream, self._client, self._finder, wiring, entropy, self._state)
        self._capabilities = replace(CAPABILITIES, private_stream=self.private_stream is not None)

    def __repr__(self) -> str:
        return f"HyperliquidProcessor({self.account})"

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def clock_offset_s(self) -> float | None:
        return self._client.venue_clock.offset_s

    # --- reads --------------------------------------------------------------------------------------------------------

    async def preflight(self) -> Preflight:
        """Wallets, money, clock. Raises `Unavailable`; an unusable account is a `Problem`, not `Denied`: every question
        is answered, whoever asks."""
        state, _, _ = await self._state()
        problems, _ = await together(Examiner(self._client).problems(state), self._listed())  # soon needed by all else
        offset_s = self.clock_offset_s or 0.0
        return Preflight((*problems, *clock_problems(offset_s)), PositionMode.ONE_WAY, None, offset_s)

    async def instruments(self) -> Mapping[Symbol, Instrument]:
        return (await self._listed()).instruments

    async def positions(self) -> Positions:
        state, sent_at, received_at = await self._state()
        return Positions(state.positions, sent_at, received_at)

    async def equity(self) -> Equity:
        state, _, received_at = await self._state()
        return Equity(state.equity, codec.SETTLE, received_at)

    async def prices(self, symbols: Collection[Symbol]) -> Mapping[Symbol, Price]:
        if not symbols:
            return {}
        found = await self._shared.batch("contexts", symbols, self._contexts, everything_above=0)
        return codec.prices(found, symbols)

    async def leverage(self, symbol: Symbol) -> Leverage:
        coin = (await self._instrument(symbol)).venue_symbol
        answer, payload = await read(self._client.info("activeAssetData", user=self._client.address, coin=coin))
        with usable(answer.place):
            return codec.leverage(payload, symbol)

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        answer, payload = await read(self._client.info("frontendOpenOrders", user=self._client.address))
        with usable(answer.place):
            return tuple(row.open_order() for row in orders.resting(payload))

    async def history(self, since: float) -> History:
        """Fills and funding since `since` (ours), in our time. It may begin up to a second early: tell by `exec_id`."""
        clock = self._client.venue_clock
        since_s = clock.venue(since) - OVERLAP_S
        found, listed = await together(
            self._finder.fills(since_s),
            by_time(self._client, "userFunding", int(since_s * 1000), orders.made_at_ms),
        )
        with usable("userFunding"):
            paid = orders.funding(listed)
        return history(found, paid, clock.offset_s or 0.0)

    async def find(self, symbol: Symbol, client_id: ClientId) -> OrderOutcome | None:
        await self._instrument(symbol)
        return await self._finder.find(client_id)

    def events(self) -> AsyncIterator[VenueEvent]:
        """Positions, orders, fills and equity as the venue tells of them; ends at once where there is no stream."""
        return no_events() if self.private_stream is None else private_events(self.private_stream.client, self._clock)

    # --- sends --------------------------------------------------------------------------------------------------------

    async def set_leverage(self, symbol: Symbol, leverage: Decimal, margin_mode: MarginMode) -> None:
        """Sets the coin's leverage and margin mode; the venue refuses another mode while a position is open."""
        action = codec.leverage_action(await self._asset(symbol), leverage, margin_mode)
        errors.setting(await setting_answer(self._client.act(action)))

    async def set_margin_mode(self, symbol: Symbol | None, margin_mode: MarginMode, leverage: Decimal | None) -> None:
        """Sets the coin's margin mode, and its leverage: without one it keeps what it has."""
        if symbol is None:
            raise OurFault("the margin mode belongs to a symbol on this venue; nothing was sent")
        kept = leverage or (await self.leverage(symbol)).leverage
        assert kept is not None, "activeAssetData without a leverage is Malformed"
        await self.set_leverage(symbol, kept, margin_mode)

    async def set_position_mode(self, mode: PositionMode) -> None:
        """There is one position per coin, always."""
        if mode is not PositionMode.ONE_WAY:
            raise Rejected("hyperliquid has no hedge mode; nothing was sent", "one_way")

    async def permit(self, cost: Cost) -> Permit:
        """Room for the order, its nonce and its end. Raises `Unavailable` where there is none within the deadline."""
        if self._shared.peek(LISTED) is None:
            await self._listed()  # `place` needs the coin's number and may not wait for it
        priority = Priority.REDUCTION if cost.reduction else Priority.INCREASE
        lease = await self._client.room(priority, cost.orders, acts=True)
        stamp = self._client.stamp()
        self._leases.keep(stamp.nonce, lease)
        valid_until = self._client.venue_clock.local(stamp.expires_ms / 1000)
        return Permit(stamp.nonce, valid_until, {EXPIRES: str(stamp.expires_ms)})

    async def place(self, order: PlaceOrder, client_id: ClientId, permit: Permit) -> Ack:
        stamp = Stamp(permit.nonce, int(permit.fields[EXPIRES]))
        age_ms = self._client.venue_clock.now() * 1000 - (stamp.expires_ms - VALID_MS)
        lease = self._leases.take(permit.nonce, permit.nonce + age_ms)
        asset = self._known(order)
        action = codec.order_action(order, asset, client_id)
        self._finder.sent(client_id, stamp)
        answer = await order_answer(self._client.act(action, stamp, lease), client_id)
        rests = order.tif is not TimeInForce.IOC
        placed = errors.placed(answer, client_id, order.contracts, rests=rests)
        self._finder.learn(placed.order_id, client_id)
        return Ack(placed.order_id, answer.received_at, placed.outcome)

    async def cancel(self, symbol: Symbol, client_id: ClientId) -> None:
        """Returns when the cancel is accepted or nothing is left to cancel; what had filled, `find` tells."""
        action = codec.cancel_action(await self._asset(symbol), client_id)
        errors.cancelled(await order_answer(self._client.act(action), client_id), client_id)

    async def close(self) -> None:
        """Nothing to close: transport and shared data belong to whoever made them."""
        self._leases.clear()

    # --- parts --------------------------------------------------------------------------------------------------------

    def _known(self, order: PlaceOrder) -> codec.Asset:
        """The order's coin. Raises `Unavailable` where it, or its tick, is not what the order was planned with."""
        known: codec.Listed | None = self._shared.peek(LISTED)
        if known is None or order.symbol not in known.assets:
            raise Unavailable(f"the venue lists no {order.symbol}; nothing was sent, the engine plans again")
        asset = known.assets[order.symbol]
        if order.price is not None and order.price > 0 and not codec.valid_price(order.price, asset.decimals):
            self._shared.forget(LISTED)
            what = f"{order.symbol} at {order.price}: the price has more digits than the venue takes by now"
            raise Unavailable(f"{what}; nothing was sent, the engine reads the contract again and plans anew")
        return asset

    async def _state(self) -> tuple[codec.State, float, float]:
        """Positions and equity, and our epoch seconds of asking and of the answer; one question for all who ask now."""
        found = await self._shared.batch(self._state_of, ["state"], self._read_state, everything_above=0, fresh=True)
        return found["state"]

    async def _read_state(self, _: frozenset[str]) -> Mapping[str, tuple[codec.State, float, float]]:
        answer, payload = await read(self._client.info("clearinghouseState", user=self._client.address))
        with usable(answer.place):
            state = codec.state(table(payload.get(codec.DATA), "the answer"))
        return {"state": (state, answer.sent_at, answer.received_at)}

    async def _listed(self) -> codec.Listed:
        return await self._shared.once(LISTED, LISTED_MAX_AGE_S, self._read_listed)

    async def _read_listed(self) -> codec.Listed:
        answer, payload = await read(self._client.info("metaAndAssetCtxs"))
        with usable(answer.place):
            return codec.listed(payload)

    async def _instrument(self, symbol: Symbol) -> Instrument:
        """Raises `Unavailable` for a symbol the venue does not list."""
        instruments = (await self._listed()).instruments
        if symbol not in instruments:
            raise Unavailable(f"hyperliquid lists no {symbol}; leave it out of this account's symbols")
        return instruments[symbol]

    async def _asset(self, symbol: Symbol) -> codec.Asset:
        await self._instrument(symbol)
        return (await self._listed()).assets[symbol]

    async def _contexts(self, _: frozenset[str]) -> Mapping[str, tuple[Row, float]]:
        """Every coin's context in one answer."""
        answer, payload = await read(self._client.info("metaAndAssetCtxs"))
        with usable(answer.place):
            named = ((codec.symbol_of(str(coin.get("name"))), row) for coin, row in codec.contexts(payload))
            return {symbol: (row, answer.received_at) for symbol, row in named if symbol is not None}


def client_of(wiring: Wiring, credentials: Credentials, account: AccountId) -> HyperliquidClient:
    """Raises `ConfigError` for fields that are missing or not what they should be."""
    place = f"credentials.json: {account}"
    try:
        wallet = Wallet(secret(credentials, account, "private_key"))
    except ValueError as error:
        raise ConfigError(place, f"private_key {error}") from None
    vault = credentials.get("vault_address")
    owner = _address(secret(credentials, account, "wallet_address"), "wallet_address", place)
    given = vault if isinstance(vault, str | None) else vault.reveal()
    return HyperliquidClient(wiring, wallet, owner, _address(given, "vault_address", place) if given else None)


def _address(value: str, field: str, place: str) -> str:
    try:
        return address(value)
    except ValueError as error:
        raise ConfigError(place, f"{field} {error}") from None
