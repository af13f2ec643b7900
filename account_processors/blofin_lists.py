"""BloFin's lists of orders and executions: what became of an order, and whose an execution is.

An execution names the venue's id of its order, never ours, so owners are learnt from the lists of orders and from
acknowledgements. Room for requests is scarce: lookups of several orders at one moment share their lists.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from account_processors.blofin_client import VALID_MS, BloFinClient, pages, read
from account_processors.codecs import blofin_errors as errors
from account_processors.codecs import blofin_orders as orders
from account_processors.codecs.orders import Execution, OrderRow, outcome
from account_processors.reading import together, usable
from account_processors.remembering import remember
from account_processors.shared import VenueShared
from core.domain import AccountId, ClientId, OrderOutcome, Symbol
from core.errors import Unavailable

ACTIVE, FINAL = "privateGetTradeOrdersPending", "privateGetTradeOrdersHistory"

CREATED_BEFORE_S = 60.0
"""Orders are listed from this much before their executions, or before they were sent."""
LOOK_BACK_S = 7 * 86400.0
"""How far back an order is looked for whose time of sending is not known."""
RECENT_MS = 4_000
"""While absence means nothing, lists this young are not asked for again."""
ABSENCE_COUNTS_MS = VALID_MS + 4_500
"""From this age of its timestamp on an order's absence is looked into thoroughly: the engine counts it from 5 s after
the fence."""
ABSENT_MS = 1_500
"""An order that was nowhere is not looked for again sooner: the engine wants two absences further apart."""
BEGIN_STEP_S = 60.0
"""Spans begin on these steps, so that several lookups can share one."""
SETTLING_S = 10.0
"""An execution this young may stand in one list before its order stands in another."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """Active orders, and final ones since `begin_s`, asked for at `asked_ms`, both venue time."""

    asked_ms: int
    begin_s: float
    rows: list[OrderRow]


class OrderLists:
    """The lists of one account. Every read is complete over its pages or raises."""

    def __init__(self, client: BloFinClient, shared: VenueShared, account: AccountId) -> None:
        self._client = client
        self._shared = shared
        self._account = account
        self._whose: OrderedDict[str, orders.Whose] = OrderedDict()
        self._order_ids: OrderedDict[ClientId, str] = OrderedDict()
        self._sent_ms: OrderedDict[ClientId, int] = OrderedDict()
        self._absent_ms: OrderedDict[ClientId, int] = OrderedDict()
        self._seen = _Seen(0, 0.0, [])

    # --- what sends leave behind --------------------------------------------------------------------------------------

    def sent(self, client_id: ClientId, stamp_ms: int) -> None:
        """An order is about to be sent with this timestamp."""
        remember(self._sent_ms, client_id, stamp_ms)

    def acknowledged(self, order_id: str, client_id: ClientId) -> None:
        self._owned(order_id, orders.Whose(client_id))

    def order_id(self, client_id: ClientId) -> str | None:
        """The venue's id of one of our orders, where it is known."""
        return self._order_ids.get(client_id)

    # --- reads --------------------------------------------------------------------------------------------------------

    async def active(self) -> list[OrderRow]:
        """Every order that may still fill."""
        return await self._orders(ACTIVE)

    async def executions(self, begin_s: float, inst_ids: Mapping[Symbol, str]) -> list[Execution]:
        """Every execution since `begin_s` (venue time) with its owner."""
        found = await self._executions({"begin": str(int(begin_s * 1000))})
        await self._learn_owners(found, begin_s, inst_ids)
        return orders.owned(found, self._whose)

    async def find(self, inst_id: str, client_id: ClientId) -> OrderOutcome | None:
        """Order detail, then the history, then executions; None only if none of them knows the order.

        Where the detail is refused instead of answered, the active orders are asked in its place. While the order may
        still land both lists are asked in place of everything, and only now and then.
        """
        now_ms, sent_ms = int(self._client.venue_clock.now() * 1000), self._sent_ms.get(client_id)
        if now_ms < self._absent_ms.get(client_id, 0) + ABSENT_MS:
            return None
        may_land = sent_ms is not None and now_ms < sent_ms + ABSENCE_COUNTS_MS
        begin_s = now_ms / 1000 - LOOK_BACK_S if sent_ms is None else sent_ms / 1000 - CREATED_BEFORE_S
        begin_s = begin_s // BEGIN_STEP_S * BEGIN_STEP_S
        if sent_ms is not None and may_land:
            rows = _of(client_id, await self._lately(now_ms, begin_s, sent_ms))
        else:
            rows = _of(client_id, await self._present(inst_id, client_id))
            if all(row.final for row in rows.values()):
                rows = _of(client_id, await self._orders(FINAL, begin_s)) | rows
        found = outcome([*rows.values()], await self._moved(inst_id, client_id, rows))
        if found is None and not may_land:
            remember(self._absent_ms, client_id, now_ms)
        return found

    # --- parts of a lookup --------------------------------------------------------------------------------------------

    async def _present(self, inst_id: str, client_id: ClientId) -> list[OrderRow]:
        found = await self._detail({"instId": inst_id, "clientOrderId": client_id})
        return await self._orders(ACTIVE) if found is None else found

    async def _lately(self, now_ms: int, begin_s: float, newer_than_ms: int) -> list[OrderRow]:
        """Active orders, and final ones since `begin_s`; lists that are a little older will do if they are newer."""
        seen = self._seen
        if newer_than_ms < seen.asked_ms > now_ms - RECENT_MS and seen.begin_s <= begin_s:
            return seen.rows
        active, final = await together(self._orders(ACTIVE), self._orders(FINAL, begin_s))
        self._seen = _Seen(now_ms, begin_s, [*active, *final])
        return self._seen.rows

    async def _moved(self, inst_id: str, client_id: ClientId, rows: Mapping[str, OrderRow]) -> list[Execution]:
        """What was executed under the order's ids; not asked for where nothing more can have been, or more may yet."""
        if rows and (not all(row.final for row in rows.values()) or all(map(_complete, rows.values()))):
            return []
        known = sorted({*rows, self._order_ids.get(client_id, "")} - {""})
        asked = (self._executions({"instId": inst_id, "orderId": order_id}) for order_id in known)
        return [one for of_order in await together(*asked) for one in of_order if one.order_id in known]

    async def _detail(self, query: Mapping[str, str]) -> list[OrderRow] | None:
        """The order of a lookup; None: the answer says nothing of it."""
        try:
            answer, payload = await read(self._client.call("privateGetTradeOrderDetail", query))
        except Unavailable as error:
            if error.code in errors.SAYS_NOTHING_OF_AN_ORDER:
                return None
            raise
        with usable(answer.place):
            found = orders.detail(payload)
            for row, owner in found:
                self._owned(row.order_id, owner)
            return [row for row, _ in found]

    async def _orders(self, endpoint: str, begin_s: float | None = None) -> list[OrderRow]:
        """Every order of a list (since `begin_s`, venue time), asked once for all who want it at the same moment."""
        begin = "" if begin_s is None else str(int(begin_s * 1000))

        async def fetch(begins: frozenset[str]) -> Mapping[str, list[OrderRow]]:
            earliest = min(begins, key=lambda wanted: int(wanted or 0))
            return dict.fromkeys(begins, await self._listed(endpoint, {"begin": earliest} if earliest else {}))

        name = f"{endpoint} of {self._account}"
        return (await self._shared.batch(name, [begin], fetch, everything_above=10**9, fresh=True))[begin]

    async def _listed(self, endpoint: str, query: Mapping[str, str]) -> list[OrderRow]:
        found = await pages(self._client.call, endpoint, query, "orderId")
        with usable(endpoint):
            for payload in found:
                for order_id, owner in orders.whose(payload).items():
                    self._owned(order_id, owner)
            return [row for payload in found for row in orders.order_rows(payload)]

    async def _executions(self, query: Mapping[str, str]) -> list[Execution]:
        found = await pages(self._client.call, "privateGetTradeFillsHistory", query, "tradeId")
        with usable("/trade/fills-history"):
            return [one for payload in found for one in orders.executions(payload)]

    # --- owners -------------------------------------------------------------------------------------------------------

    async def _learn_owners(self, found: Collection[Execution], begin_s: float, inst_ids: Mapping[Symbol, str]) -> None:
        """Finds out whose the orders of executions are: from the history of orders, then one by one.

        Raises `Unavailable` where an order is not shown yet that may be ours.
        """
        if all(one.order_id in self._whose for one in found):
            return
        await self._orders(FINAL, begin_s - CREATED_BEFORE_S)
        young_s = self._client.venue_clock.now() - SETTLING_S
        for one in {one.order_id: one for one in found if one.order_id not in self._whose}.values():
            if (inst_id := inst_ids.get(one.fill.symbol)) is not None:
                await self._detail({"instId": inst_id, "orderId": one.order_id})
            if one.order_id not in self._whose and one.fill.time > young_s:
                raise Unavailable("blofin: an execution is listed whose order is not yet; the engine asks again")

    def _owned(self, order_id: str, owner: orders.Whose) -> None:
        remember(self._whose, order_id, owner)
        if owner.client_id is not None:
            remember(self._order_ids, owner.client_id, order_id)


def _of(client_id: ClientId, listed: Collection[OrderRow]) -> dict[str, OrderRow]:
    """The orders with one of our ids, by the venue's."""
    return {row.order_id: row for row in listed if row.client_id == client_id}


def _complete(row: OrderRow) -> bool:
    return row.filled >= row.contracts
