"""One account at any exchange ccxt knows that has linear perpetuals, by ccxt's unified methods.

Slower and more careful than an adapter of our own: what ccxt does not state is not assumed (`codecs.ccxt_facts`). Every
shape of order is rehearsed before the first one goes out, so that an exchange where ccxt would send something else
first, leave out our id, or mark the request, is refused beforehand and not met on the way.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import partial

from ccxt.base import errors as sdk_errors

from account_processors import Credentials, ProcessorFactory, secret
from account_processors.budget import Priority
from account_processors.ccxt_catalogue import offer
from account_processors.ccxt_client import UNREADABLE, Call, CcxtClient, Kind
from account_processors.ccxt_exchange import CREDENTIALS, Unprepared
from account_processors.ccxt_lists import OrderLists
from account_processors.ccxt_reads import CcxtReads
from account_processors.ccxt_rehearsal import Rehearsal
from account_processors.codecs import ccxt as codec
from account_processors.codecs import ccxt_errors as errors
from account_processors.codecs import ccxt_facts as facts_of
from account_processors.codecs.ccxt_orders import named, ours
from account_processors.codecs.verdicts import nobody_knows
from account_processors.reading import together, usable
from account_processors.sending import Leases, clock_problems, no_events
from account_processors.shared import VenueShared
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
from core.errors import ConfigError, Denied, Lost, NotSent, OurFault, Rejected, TransportError, Unavailable, VenueError
from core.ports import Clock, Entropy, Transport

PERMIT_MS = 5_000
"""A permit that is older serves no order: what it was planned on is out of date."""
OVERLAP_S = 1.0
HEDGE_REMEDY = (
    "the account is in hedge mode, in which one symbol has two positions; the engine sends nothing. Close what is "
    "open, switch to one-way mode on the exchange's site, and the engine goes on by itself"
)


class CcxtProcessor:
    """`ports.AccountProcessor` for one key at `exchange` (ccxt's id). `shared` is that of all accounts there."""

    def __init__(
        self,
        exchange: str,
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
        wiring = Wiring(account, base_url or "", transport, clock, shared, deadline_s)
        facts = facts_of.facts_of(exchange)
        self.account = account
        self.exchange = exchange
        self._shared = shared
        self._entropy = entropy
        # Public data is asked for without a key: some exchanges' lists differ with one, and accounts share them.
        self._public = CcxtClient(wiring, exchange, {}, base_url, facts)
        needed = [name for name, wanted in self._public.sdk.requiredCredentials.items() if wanted]
        keys = {name: secret(credentials, account, CREDENTIALS.get(name, name)) for name in needed}
        self._client = CcxtClient(wiring, exchange, keys, base_url, facts)
        self._facts = self._client.facts
        self._reads = CcxtReads(self._client, self._public)
        self._lists = OrderLists(self._client, self._reads.names)
        self._rehearsal = Rehearsal(self._client)
        self._leases = Leases(PERMIT_MS)
        self._used: set[Symbol] = set()
        self._mode: PositionMode | None = None
        """As last read."""
        self._capabilities = capabilities(self._client, self._lists.can_find)

    def __repr__(self) -> str:
        return f"CcxtProcessor({self.account})"

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    @property
    def clock_offset_s(self) -> float | None:
        return self._client.venue_clock.offset_s

    # --- reads --------------------------------------------------------------------------------------------------------

    async def preflight(self) -> Preflight:
        """Clock, key, modes, and whether ccxt's orders may go out. Raises `Denied` where the key is refused."""
        await self._client.learn_time()
        probe = await self._reads.probe()
        _, mode, margin = await together(
            self.equity(), self._reads.position_mode(probe), self._reads.account_margin_mode(probe, fresh=True)
        )
        self._mode = mode
        problems = await self._rehearsal.problems(probe)
        if mode is PositionMode.HEDGE:
            problems.append(Problem(Scope.ALL, "hedge_mode", HEDGE_REMEDY))
        offset_s = self.clock_offset_s or 0.0
        return Preflight((*problems, *clock_problems(offset_s)), mode, margin, offset_s)

    async def instruments(self) -> Mapping[Symbol, Instrument]:
        return (await self._reads.markets()).listed.instruments

    async def left_out(self) -> Mapping[Symbol, str]:
        """Contracts that cannot be traded, and why."""
        return (await self._reads.ready()).listed.left_out

    async def positions(self) -> Positions:
        markets, (rows, sent_at, received_at) = await together(self._reads.ready(), self._reads.position_rows())
        if self._mode is PositionMode.HEDGE or any(codec.is_hedged(row) for row in rows):
            raise Denied(HEDGE_REMEDY, "hedge_mode")
        with usable(self._client.place("fetch_positions")):
            found = codec.positions(rows, markets.by_name, markets.listed.settle, self._facts)
        return Positions(found, sent_at, received_at)

    async def equity(self) -> Equity:
        settle = (await self._reads.ready()).listed.settle
        means, rows = self._facts.balance, []
        words = {"type": "swap", **self._facts.balance_words}
        if means is facts_of.Balance.EQUITY:
            balance = await self._client.read("fetch_balance", words)
        else:
            balance, (rows, _, _) = await together(
                self._client.read("fetch_balance", words), self._reads.position_rows()
            )
        with usable(self._client.place("fetch_balance")):
            value = codec.equity(balance, await self._reads.of_settle(rows, settle), settle, self._facts)
        return Equity(value, settle, self._client.wiring.clock.time())

    async def prices(self, symbols: Collection[Symbol]) -> Mapping[Symbol, Price]:
        if not symbols:
            return {}
        self._used.update(symbols)
        found = await self._shared.batch("prices", symbols, self._reads.quoted, everything_above=10**9)
        return {symbol: found[symbol] for symbol in symbols if symbol in found}

    async def leverage(self, symbol: Symbol) -> Leverage:
        instrument = await self._reads.instrument(symbol)
        name, mode = instrument.venue_symbol, await self._reads.margin_mode(instrument)
        per_order = self._capabilities.leverage_in(mode or MarginMode.ISOLATED) is LeverageScope.PER_ORDER
        if per_order and not self._facts.reads_leverage:
            return Leverage(symbol, None, mode)
        if not self._client.has("fetchLeverage"):
            raise Unavailable(f"{self.exchange}: ccxt reads no leverage there; nothing increases on {symbol}")
        words = await self._reads.mode_words(mode, name)
        row = await self._client.read("fetch_leverage", name, words)
        with usable(self._client.place("fetch_leverage")):
            known = codec.leverage(symbol, row, mode)
            return known if self._facts.position_says or mode is not None else replace(known, margin_mode=None)

    async def open_orders(self) -> tuple[OpenOrder, ...]:
        return tuple(row.open_order() for row in await self._lists.open() if not row.final)

    async def history(self, since: float) -> History:
        """Fills since `since` (ours) in symbols that were asked about, in our time; it may begin a second early.

        No funding: few exchanges have a list of it that ccxt unifies.
        """
        clock, names = self._client.venue_clock, await self._reads.names()
        held = set((await self.positions()).by_symbol) if self._lists.asks_by_symbol else set()
        used = [name for name, symbol in names.items() if symbol in self._used | held]
        found = await self._lists.executions(used, clock.venue(since) - OVERLAP_S)
        ahead_s = clock.offset_s or 0.0
        once = {(one.fill.symbol, one.fill.exec_id): replace(one.fill, time=one.fill.time - ahead_s) for one in found}
        return History(tuple(sorted(once.values(), key=codec.by_age)))

    async def find(self, symbol: Symbol, client_id: ClientId) -> OrderOutcome | None:
        self._used.add(symbol)
        return await self._lists.find((await self._reads.instrument(symbol)).venue_symbol, client_id)

    def events(self) -> AsyncIterator[VenueEvent]:
        """Ends at once: `capabilities.private_stream` is false."""
        return no_events()

    # --- sends --------------------------------------------------------------------------------------------------------

    async def set_leverage(self, symbol: Symbol, leverage: Decimal, margin_mode: MarginMode) -> None:
        if self._capabilities.leverage_in(margin_mode) is LeverageScope.PER_ORDER:
            raise Rejected(f"{self.exchange}: leverage comes with the order in {margin_mode.value} margin")
        name = (await self._reads.instrument(symbol)).venue_symbol
        words = await self._reads.mode_words(margin_mode, name)
        await self._client.setting("set_leverage", facts_of.whole(plain(leverage)), name, words)

    async def set_margin_mode(self, symbol: Symbol | None, margin_mode: MarginMode, leverage: Decimal | None) -> None:
        scope = self._capabilities.margin_mode_scope
        if scope is MarginModeScope.ORDER or (scope is MarginModeScope.SYMBOL and symbol is None):
            raise OurFault(f"{self.exchange} keeps the margin mode by {scope.value}; nothing was sent")
        words = {} if leverage is None or not self._facts.mode_says_leverage else {"leverage": plain(leverage)}
        probe = await self._reads.probe() if symbol is None else await self._reads.instrument(symbol)
        name = None if scope is MarginModeScope.ACCOUNT else probe.venue_symbol
        try:
            await self._client.setting("set_margin_mode", margin_mode.value, name, words)
        finally:
            self._reads.forget_margin_mode()

    async def set_position_mode(self, mode: PositionMode) -> None:
        await self._reads.ready()
        await self._client.setting("set_position_mode", mode is PositionMode.HEDGE, None, {})

    async def permit(self, cost: Cost) -> Permit:
        """Room for the order, and its stamp. Raises `Unavailable` where there is none within the deadline."""
        await self._rehearsal.before_orders(await self._reads.probe())
        priority = Priority.REDUCTION if cost.reduction else Priority.INCREASE
        lease = await self._client.room(Kind.ORDER, priority, cost.orders)
        stamp_ms = self._client.venue_clock.stamp_ms()
        self._leases.keep(stamp_ms, lease)
        valid_until = self._client.venue_clock.local(stamp_ms / 1000 + self._facts.validity_s)
        return Permit(nonce=stamp_ms, valid_until=valid_until)

    async def place(self, order: PlaceOrder, client_id: ClientId, permit: Permit) -> Ack:
        lease = self._leases.take(permit.nonce, self._client.venue_clock.now() * 1000)
        known = self._reads.at_hand()
        instrument = None if known is None else known.listed.instruments.get(order.symbol)
        if instrument is None:
            raise Unavailable(f"{self.exchange} lists no {order.symbol}; nothing was sent, the engine plans again")
        if self._mode is PositionMode.HEDGE:
            raise Denied(f"{HEDGE_REMEDY}; nothing was sent", "hedge_mode")
        self._used.add(order.symbol)
        arguments = self._rehearsal.arguments(order, instrument, client_id)
        call = Call(Kind.ORDER, client_id=client_id, stamp_ms=permit.nonce, lease=lease)
        self._lists.sent(client_id, permit.nonce)
        try:
            answer = await self._client.order(call, "create_order", *arguments)
        except Unprepared as error:
            self._rehearsal.again(client_id, arguments)
            raise self._judged(error, call, "create_order", client_id) from None
        except (sdk_errors.BaseError, TransportError, *UNREADABLE) as error:
            raise self._judged(error, call, "create_order", client_id) from None
        order_id = answer.get("id") if isinstance(answer, dict) else None
        if not isinstance(order_id, str) or not order_id.strip("0"):
            raise nobody_knows("the answer names no order", client_id, "")
        shown = named(answer, self._facts)
        if (shown is None and self._facts.ack_names_us) or (shown is not None and not ours(shown, client_id)):
            raise nobody_knows("the answer names another order", client_id, "")
        self._lists.acknowledged(order_id, client_id)
        return Ack(order_id, call.received_at)

    async def cancel(self, symbol: Symbol, client_id: ClientId) -> None:
        """Returns when the cancel is accepted or nothing is left to cancel; what had filled, `find` tells."""
        name = (await self._reads.instrument(symbol)).venue_symbol
        if self._lists.order_id(client_id) is None:
            await self._lists.find(name, client_id)
        if (order_id := self._lists.order_id(client_id)) is None:
            return
        call = Call(Kind.ORDER, Priority.REDUCTION, client_id=order_id)
        try:
            await self._client.order(call, "cancel_order", order_id, name)
        except sdk_errors.OrderNotFound:
            return
        except (sdk_errors.BaseError, TransportError, Unprepared, *UNREADABLE) as error:
            seen = self._client.seen(error, call)
            if seen.code in self._facts.gone or (call.order and self._facts.gone_kinds.intersection(seen.kinds[:1])):
                return
            raise self._judged(error, call, "cancel_order", client_id) from None

    async def close(self) -> None:
        """Nothing to close: transport and shared data belong to whoever made them."""
        self._leases.clear()

    # --- parts --------------------------------------------------------------------------------------------------------

    def _judged(self, error: Exception, call: Call, method: str, client_id: ClientId) -> VenueError:
        """What became of a send that ended in `error`."""
        if isinstance(error, NotSent):
            return Unavailable(str(error))
        if isinstance(error, Lost):
            return nobody_knows(str(error), client_id, "")
        seen, place = self._client.seen(error, call), self._client.place(method)
        if call.order is None:
            what = f"{place}: {seen.words}; nothing was sent"
            return Unavailable(what) if isinstance(error, Unprepared) else OurFault(what)
        return errors.of_order(seen, place, client_id, self._facts)


def capabilities(client: CcxtClient, can_find: bool) -> Capabilities:
    """As ccxt states them, where no fact says otherwise."""
    facts = client.facts
    return Capabilities(
        venue=client.exchange,
        leverage=facts.leverage or LeverageScope.PER_SYMBOL,
        margin_mode_scope=facts.margin_mode or MarginModeScope.ACCOUNT,
        leverage_in_place=facts.leverage_in_place,
        client_id_prefix=facts.client_id_prefix,
        client_id_hex_digits=facts.client_id_hex_digits,
        validity_s=facts.validity_s,
        reads_per_s=client.reads_per_s,
        find_by_client_id=can_find,
        cross_leverage=facts.cross_leverage,
    )


def factory(exchange: str) -> ProcessorFactory:
    """The adapter of one of ccxt's exchanges; raises `ConfigError` where there is none, or why it cannot be used."""
    offered = offer(exchange)
    if offered.impossible:
        raise ConfigError("credentials.json: accounts[].venue", f"{exchange} cannot be traded: {offered.impossible}")
    return partial(CcxtProcessor, exchange)
