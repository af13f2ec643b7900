"""MEXC's lists of orders, deals and funding: what became of an order, and whose a deal is.

A deal names the venue's id of its order, never ours, so owners are learnt from order rows and from acknowledgements.
Room for requests is scarce: lookups of several orders at one moment share their lists.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from account_processors.codecs import mexc_errors as errors
from account_processors.codecs import mexc_orders as codec
from account_processors.codecs.orders import Execution, OrderRow, outcome
from account_processors.mexc_client import MexcClient, pages, read
from account_processors.reading import answered, together, usable
from account_processors.remembering import remember
from account_processors.shared import VenueShared
from core.domain import AccountId, ClientId, Funding, OrderOutcome, Symbol
from core.errors import Unavailable

ACTIVE, FINAL = "contractPrivateGetOrderListOpenOrders", "contractPrivateGetOrderListHistoryOrders"
DEALS, DEALS_OF_ORDER = "contractPrivateGetOrderListOrderDealsV3", "contractPrivateGetOrderDealDetailsOrderId"
EXTERNAL, BATCH = "contractPrivateGetOrderExternalSymbolExternalOid", "contractPrivateGetOrderBatchQuery"
FUNDING = "contractPrivateGetPositionFundingRecords"
PAGE, DEALS_PAGE, MOST_IDS = 100, 1000, 50
"""Rows the venue gives at most (https://www.mexc.com/api-docs/futures/account-and-trading-endpoints)."""

CREATED_BEFORE_S = 60.0
"""An order is listed by its own time, which may be before we sent it by our clock."""
DAY_S = 86400.0
LOOK_BACK_S = 7 * DAY_S
"""How far back an order is looked for whose time of sending is not known."""
OLDEST_S = 89 * DAY_S
"""The venue's lists go back ninety days at most."""
OVERLAP_S = 1.0
BEGIN_STEP_S = 60.0
"""Spans begin on these steps, so that several lookups can share one."""
SETTLING_S = 10.0
"""A deal this young may stand in one list before its order stands in another."""
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class _Sent:
    """An order of ours: its timestamp (venue milliseconds), and whether it may rest."""

    stamp_ms: int
    rests: bool


class OrderLists:
    """The lists of one account. Every read is complete over its pages or raises."""

    def __init__(self, client: MexcClient, shared: VenueShared, account: AccountId) -> None:
        self._client = client
        self._shared = shared
        self._account = account
        self._owners: OrderedDict[str, ClientId | None] = OrderedDict()
        self._sent: OrderedDict[ClientId, _Sent] = OrderedDict()

    # --- what sends leave behind --------------------------------------------------------------------------------------

    def sent(self, client_id: ClientId, stamp_ms: int, rests: bool) -> None:
        """An order is about to be sent with this timestamp."""
        remember(self._sent, client_id, _Sent(stamp_ms, rests))

    def acknowledged(self, order_id: str, client_id: ClientId) -> None:
        remember(self._owners, order_id, client_id)

    # --- reads --------------------------------------------------------------------------------------------------------

    async def active(self) -> list[OrderRow]:
        """Every order that may still fill."""
        return await self._orders(ACTIVE)

    async def executions(self, begin_s: float, names: Mapping[Symbol, str], used: Iterable[Symbol]) -> list[Execution]:
        """Every deal since `begin_s` (venue time) with its owner, of the symbols in use and of all that were traded.

        Deals are listed by contract; which others were traded, the orders of the last day before and since tell.
        """
        now_s = self._client.venue_clock.now()
        begin_s = max(begin_s, now_s - OLDEST_S)
        final, active = await together(self._orders(FINAL, max(begin_s - DAY_S, now_s - OLDEST_S)), self.active())
        traded = {row.symbol for row in (*final, *active) if row.filled}
        span = {"start_time": int(begin_s * 1000), "end_time": int((now_s + OVERLAP_S) * 1000)}
        wanted = [names[symbol] for symbol in sorted({*used, *traded}) if symbol in names]
        listed = await together(*(self._deals({"symbol": name, **span}) for name in wanted))
        found = [one for of_symbol in listed for one in of_symbol]
        await self._learn_owners(found, now_s)
        return codec.owned(found, self._owners)

    async def funding(self, begin_s: float, end_s: float) -> list[Funding]:
        """Of both position types; nothing is asked where no full hour lies in the span, for funding is due at such."""
        if int(begin_s // HOUR_S) == int(end_s // HOUR_S):
            return []
        span = {"start_time": int(begin_s * 1000), "end_time": int(end_s * 1000)}
        calls = (pages(self._client.call, FUNDING, {**span, "position_type": kind}, PAGE) for kind in (1, 2))
        listed = await together(*calls)
        with usable("/position/funding_records"):
            return [codec.funding(row) for of_type in listed for row in of_type]

    async def find(self, name: str, client_id: ClientId) -> OrderOutcome | None:
        """The history, then the lookup by our id and the open orders, then deals; None only if none knows the order.

        An id may stand for several orders where something on the way repeated a request: those of one id that are
        listed all count.
        """
        sent = self._sent.get(client_id)
        now_s = self._client.venue_clock.now()
        begin_s = now_s - LOOK_BACK_S if sent is None else sent.stamp_ms / 1000 - CREATED_BEFORE_S
        begin_s = begin_s // BEGIN_STEP_S * BEGIN_STEP_S
        rows = _of(client_id, await self._orders(FINAL, begin_s))
        if not rows or sent is None or sent.rests:
            active, known = await together(self.active(), self._external(name, client_id))
            # The lists are written apart from each other: of one order the furthest state is true.
            every = sorted((*rows, *_of(client_id, [*active, *known])), key=lambda row: (row.final, row.filled))
            rows = [*{row.order_id: row for row in every}.values()]
        return outcome(rows, await self._moved(rows))

    # --- parts --------------------------------------------------------------------------------------------------------

    async def _moved(self, rows: Collection[OrderRow]) -> list[Execution]:
        """The deals of final orders; not asked for where nothing more can have been, or more may yet."""
        if not all(row.final for row in rows) or all(row.filled >= row.contracts for row in rows):
            return []
        asked = (read(self._client.call(DEALS_OF_ORDER, {"order_id": row.order_id})) for row in rows)
        found = await together(*asked)
        with usable("/order/deal_details"):
            return [codec.execution(row) for _, payload in found for row in codec.page(payload).items]

    async def _external(self, name: str, client_id: ClientId) -> list[OrderRow]:
        answer = await answered("mexc", self._client.call(EXTERNAL, {"symbol": name, "external_oid": client_id}))
        row = errors.found(answer)
        with usable(answer.place):
            return [] if row is None else self._known([codec.order_row(row)])

    async def _orders(self, endpoint: str, begin_s: float | None = None) -> list[OrderRow]:
        """Every order of a list (since `begin_s`, venue time), asked once for all who want it at the same moment."""
        begin = "" if begin_s is None else str(int(begin_s * 1000))

        async def fetch(begins: frozenset[str]) -> Mapping[str, list[OrderRow]]:
            earliest = min(begins, key=lambda wanted: int(wanted or 0))
            # Older documentation writes the name otherwise; what the venue does not know it ignores.
            query = {"startTime": earliest, "start_time": earliest} if earliest else {}
            listed = await pages(self._client.call, endpoint, query, PAGE)
            with usable(endpoint):
                return dict.fromkeys(begins, self._known([codec.order_row(row) for row in listed]))

        name = f"{endpoint} of {self._account}"
        return (await self._shared.batch(name, [begin], fetch, everything_above=10**9, fresh=True))[begin]

    async def _deals(self, query: Mapping[str, str | int]) -> list[Execution]:
        listed = await pages(self._client.call, DEALS, query, DEALS_PAGE)
        with usable("/order/list/order_deals"):
            return [codec.execution(row) for row in listed]

    # --- owners -------------------------------------------------------------------------------------------------------

    def _known(self, rows: list[OrderRow]) -> list[OrderRow]:
        for row in rows:
            remember(self._owners, row.order_id, row.client_id)
        return rows

    async def _learn_owners(self, found: Collection[Execution], now_s: float) -> None:
        """Asks for orders of deals that no list showed. Raises `Unavailable` where one may be ours and is not shown."""
        unknown = [*{one.order_id: None for one in found if one.order_id not in self._owners}]
        parts = (",".join(unknown[at : at + MOST_IDS]) for at in range(0, len(unknown), MOST_IDS))
        answers = await together(*(read(self._client.call(BATCH, {"order_ids": part})) for part in parts))
        with usable("/order/batch_query"):
            for _, payload in answers:
                self._known([codec.order_row(row) for row in codec.page(payload).items])
        if any(one.order_id not in self._owners and one.fill.time > now_s - SETTLING_S for one in found):
            raise Unavailable("mexc: a deal is listed whose order is not yet; the engine asks again")


def _of(client_id: ClientId, listed: Collection[OrderRow]) -> list[OrderRow]:
    return [row for row in listed if row.client_id == client_id]
