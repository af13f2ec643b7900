"""Orders and executions at an exchange of ccxt: what became of an order of ours, and whose an execution is."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

from account_processors.ccxt_client import CcxtClient
from account_processors.codecs import ccxt as codec
from account_processors.codecs import ccxt_orders as orders
from account_processors.codecs.ccxt_facts import Lookup, Paging
from account_processors.codecs.orders import Execution, OrderRow, outcome
from account_processors.codecs.wire import Row, text
from account_processors.reading import together, usable
from account_processors.remembering import remember
from core.domain import ClientId, OrderOutcome, Symbol
from core.errors import Unavailable

MAX_PAGES = 100
CREATED_BEFORE_S = 60.0
"""Orders are listed from this much before they were sent, or before their executions."""

Names = Mapping[str, Symbol]
"""Canonical symbols by ccxt's."""


class OrderLists:
    """Of one account. Every read is complete or raises."""

    def __init__(self, client: CcxtClient, names: Callable[[], Awaitable[Names]]) -> None:
        self._client = client
        self._facts = client.facts
        self._names = names
        self._whose: OrderedDict[str, str] = OrderedDict()
        self._order_ids: OrderedDict[ClientId, str] = OrderedDict()
        self._sent_ms: OrderedDict[ClientId, int] = OrderedDict()

    @property
    def can_find(self) -> bool:
        """Whether ccxt offers any list or lookup that could show an order."""
        return any(self._client.has(name) for name in ("fetchOrder", "fetchOpenOrders")) and bool(self._final_lists())

    @property
    def asks_by_symbol(self) -> bool:
        """Executions are listed symbol by symbol only."""
        return self._client.feature("fetchMyTrades", "symbolRequired") is not False

    # --- what sends leave behind --------------------------------------------------------------------------------------

    def sent(self, client_id: ClientId, stamp_ms: int) -> None:
        remember(self._sent_ms, client_id, stamp_ms)

    def acknowledged(self, order_id: str, client_id: ClientId) -> None:
        remember(self._order_ids, client_id, order_id)
        remember(self._whose, order_id, client_id)

    def order_id(self, client_id: ClientId) -> str | None:
        return self._order_ids.get(client_id)

    # --- reads --------------------------------------------------------------------------------------------------------

    async def open(self) -> list[OrderRow]:
        """Every open order of the account."""
        names, by_symbol = await self._names(), self._client.feature("fetchOpenOrders", "symbolRequired") is True
        if by_symbol and not self._facts.proven:
            raise Unavailable(f"{self._client.exchange} lists open orders by symbol only, so nobody knows all of them")
        found = await self._listed("fetch_open_orders", None, None, {})
        with usable(self._client.place("fetch_open_orders")):
            return [orders.order_row(row, names, self._facts) for row in found if row.get("symbol") in names]

    async def find(self, name: str, client_id: ClientId) -> OrderOutcome | None:
        """None only where absence is a proof; elsewhere an order that is nowhere raises `Unavailable`."""
        found = await self._find(name, client_id)
        if found is None and not self._facts.proven:
            raise Unavailable(
                f"{self._client.exchange} shows no such order, which proves nothing there: nobody knows after how long "
                "an order can no longer arrive. Nothing increases. Look at the exchange yourself, then run "
                "`./run resolve ACCOUNT SYMBOL`"
            )
        return found

    async def executions(self, symbols: Collection[str], since_s: float) -> list[Execution]:
        """Every execution since `since_s` (the exchange's time) in `symbols` (ccxt's), with its owner."""
        if not self._client.has("fetchMyTrades"):
            raise Unavailable(f"{self._client.exchange}: ccxt lists no executions there")
        names = await self._names()
        since_ms = int(since_s * 1000)
        of: list[str | None] = [*symbols] if self.asks_by_symbol else [None]
        asked = [(name, words) for name in of for words in self._facts.trades]
        found = await together(*(self._listed("fetch_my_trades", name, since_ms, words) for name, words in asked))
        rows = [row for listed in found for row in listed if row.get("symbol") in names]
        for order_id, shown in self._told(rows).items():
            remember(self._whose, order_id, shown)
        await self._learn_owners(rows, since_s)
        with usable(self._client.place("fetch_my_trades")):
            return [orders.execution(row, names, self._facts, self._owner(row)) for row in rows]

    # --- parts of a lookup --------------------------------------------------------------------------------------------

    async def _find(self, name: str, client_id: ClientId) -> OrderOutcome | None:
        names = await self._names()
        rows: list[Row] = []
        if self._facts.lookup is Lookup.BY_ID:
            rows = await self._one(None, name, {"clientOrderId": client_id})
        elif self._client.has("fetchOrder") and self._asked_by_order_id(client_id):
            rows = await self._one(self._order_ids[client_id], name, {})
        known = {row.order_id: row for row in self._rows(rows, names, client_id)}
        if not known or self._facts.ids_repeat or not all(row.final for row in known.values()):
            known |= {row.order_id: row for row in await self._in_lists(name, names, client_id)}
        return outcome([*known.values()], [])

    def _asked_by_order_id(self, client_id: ClientId) -> bool:
        """Proven exchanges answer with their lists; elsewhere the exchange's own id is the surer way."""
        return not self._facts.proven and client_id in self._order_ids

    async def _in_lists(self, name: str, names: Names, client_id: ClientId) -> list[OrderRow]:
        only = {self._facts.filter_by: client_id} if self._facts.filter_by else {}
        sent_ms = self._sent_ms.get(client_id)
        now_ms = int(self._client.venue_clock.now() * 1000)
        earliest_ms = now_ms - int(self._facts.look_back_s * 1000)
        since_ms = earliest_ms if sent_ms is None else sent_ms - int(CREATED_BEFORE_S * 1000)
        rows = await self._listed("fetch_open_orders", name, None, only)
        known = self._rows(rows, names, client_id)
        if known and all(row.final for row in known):
            return known
        by_id = {row.order_id: row for row in known}
        for method in self._final_lists():
            rows = await self._listed(method, name, since_ms, only)
            # What is final by now has its last word; the list of open orders may be older.
            by_id |= {row.order_id: row for row in self._rows(rows, names, client_id)}
        return [*by_id.values()]

    def _final_lists(self) -> tuple[str, ...]:
        has = self._client.has
        if has("fetchCanceledAndClosedOrders"):
            return ("fetch_canceled_and_closed_orders",)
        if has("fetchOrders"):
            return ("fetch_orders",)
        if has("fetchClosedOrders") and has("fetchCanceledOrders"):
            return ("fetch_closed_orders", "fetch_canceled_orders")
        return ("fetch_closed_orders",) if has("fetchClosedOrders") else ()

    async def _one(self, order_id: str | None, name: str, words: Mapping[str, str]) -> list[Row]:
        found = await self._client.find("fetch_order", order_id, name, dict(words))
        if found is not None and (not isinstance(found, dict) or not found.get("id")):
            raise Unavailable(f"{self._client.place('fetch_order')}: the answer names no order, so it counts as none")
        return [] if found is None else [found]

    async def _listed(self, method: str, name: str | None, since_ms: int | None, words: Mapping[str, Any]) -> list[Row]:
        """One list over all its pages, or `Unavailable`. Rows come once."""
        found: dict[str, Row] = {}
        more: dict[str, Any] = {}
        place = self._client.place(method)
        for page in range(1, MAX_PAGES + 1):
            asked = {**self._facts.page_words, **words, **more}
            rows, _ = await self._client.listing(method, name, since_ms, self._facts.page, asked)
            with usable(place):
                fresh = {text(row, "id"): row for row in rows if text(row, "id") not in found}
            found |= fresh
            following = self._next_page(rows, since_ms, page)
            if following is None:
                return [*found.values()]
            if not fresh:
                break
            more = following
        raise Unavailable(f"{place}: its pages do not end, so the list counts as unread")

    def _next_page(self, rows: list[Row], since_ms: int | None, page: int) -> dict[str, Any] | None:
        """Parameters of the page after this one; None: there is none. Raises `Unavailable` where nobody can tell."""
        if self._facts.paging is Paging.CURSOR:
            infos = [row["info"] for row in rows if isinstance(row.get("info"), dict)]
            cursor = next((info["nextPageCursor"] for info in infos if info.get("nextPageCursor")), None)
            return {"cursor": cursor} if cursor and len(rows) >= self._facts.page else None
        if codec.whole(rows, self._facts.page, self._facts.proven):
            return None
        if self._facts.paging is Paging.NUMBER:
            return {"page_num": page + 1}
        if self._facts.paging is Paging.AFTER:
            return {"after": rows[0]["id"]}
        if since_ms is None or not rows or not rows[0].get("timestamp"):
            raise Unavailable(f"{self._client.exchange}: {len(rows)} rows may be the first of more")
        return {"until": int(rows[0]["timestamp"])}

    def _rows(self, rows: Collection[Row], names: Names, client_id: ClientId) -> list[OrderRow]:
        mine = [row for row in rows if self._is_mine(row, client_id)]
        with usable(self._client.place("orders")):
            found = [orders.order_row(row, names, self._facts, client_id) for row in mine]
        for row in found:
            self.acknowledged(row.order_id, client_id)
        return found

    def _is_mine(self, row: Row, client_id: ClientId) -> bool:
        if orders.ours(orders.named(row, self._facts), client_id):
            return True
        return row.get("id") is not None and self._order_ids.get(client_id) == row["id"]

    # --- owners -------------------------------------------------------------------------------------------------------

    async def _learn_owners(self, rows: Collection[Row], since_s: float) -> None:
        """Finds out whose the orders of executions are; raises `Unavailable` where that stays unknown."""
        unknown = {str(row.get("order")): str(row.get("symbol")) for row in rows if self._is_unknown(row)}
        if not unknown:
            return
        since_ms = int((since_s - CREATED_BEFORE_S) * 1000)
        lists = [(method, name) for method in self._final_lists() for name in sorted(set(unknown.values()))]
        found = await together(*(self._listed(method, name, since_ms, {}) for method, name in lists))
        for of_list in found:
            for order_id, shown in orders.order_ids(of_list, self._facts).items():
                remember(self._whose, order_id, shown)
        if left := [order_id for order_id in unknown if order_id not in self._whose]:
            raise Unavailable(f"{self._client.exchange} does not say whose order {left[0]} is; the engine asks again")

    def _is_unknown(self, row: Row) -> bool:
        """Liquidations and the like are nobody's orders."""
        ordered = orders.kind_of(row, self._facts) == "trade" and bool(row.get("order"))
        return ordered and str(row["order"]) not in self._whose

    def _owner(self, row: Row) -> ClientId | None:
        shown = self._whose.get(str(row.get("order") or ""), "")
        return ClientId(shown) if shown else None

    def _told(self, rows: Collection[Row]) -> dict[str, str]:
        """Order id -> our id, from executions that carry it themselves."""
        told = ((row.get("order"), orders.named(row, self._facts)) for row in rows)
        return {str(order_id): shown for order_id, shown in told if order_id and shown is not None}
