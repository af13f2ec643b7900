"""What KuCoin Futures lists of one account: orders, fills, funding; complete over pages, spans and symbols, or not at
all. Fills name their order by the venue's id, so that ours has to be looked up."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from account_processors.codecs import kucoin as codec
from account_processors.codecs import kucoin_errors as errors
from account_processors.codecs import kucoin_orders as rows
from account_processors.codecs.orders import Execution, OrderRow
from account_processors.codecs.wire import Answer, Row
from account_processors.kucoin_client import ORDERS, KucoinClient, read
from account_processors.reading import answered, together, usable
from account_processors.remembering import remember
from core.domain import ClientId, Funding, Symbol
from core.errors import Unavailable

PAGE_SIZE = 1000
MAX_PAGES = 200
FEW_ORDERS = 3
"""Up to so many orders are looked up one by one, of more the lists are read."""
SETTLED_S = 60.0
"""Order indexes are a fraction of a second behind the matching; after this an order that is not there never will be."""
HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
WEEK_S = 7 * DAY_S
"""The longest span of one query of fills or finished orders."""
FUNDING_PAGES = 50


class Lists:
    """The lists of one client's account. Everything raises `Unavailable` or `Denied`."""

    def __init__(self, client: KucoinClient) -> None:
        self._client = client
        self._names: OrderedDict[str, ClientId | None] = OrderedDict()

    async def order_of(self, client_id: ClientId) -> Row | None:
        """The one order the venue gives for an id of ours, as it came."""
        return errors.found(await answered("kucoin", self._client.get_order_by_client_oid(client_id)))

    async def orders(self, status: str, **query: str | int) -> list[OrderRow]:
        """`active` or `done` orders. The venue's own default is `done`."""
        listed = await pages(self._client.get_order_list, {"status": status, **query})
        with usable(ORDERS):
            return [rows.order_row(row) for row in listed]

    async def fills(self, **query: str | int) -> list[Execution]:
        """Fills whose client ids are not known yet."""
        listed = await pages(self._client.get_fills_details, query)
        with usable("/api/v1/fills"):
            return [one for row in listed if (one := rows.execution(row)) is not None]

    def learn(self, names: Mapping[str, ClientId | None]) -> None:
        """Order ids of the venue whose client ids are known."""
        for order_id, client_id in names.items():
            remember(self._names, order_id, client_id)

    async def named(self, found: Sequence[Execution], span_s: tuple[float, float], now_s: float) -> list[Execution]:
        """The executions with the client ids of their orders; times are the venue's.

        What no client ordered (liquidation, deleveraging, settlement) has none. A young trade whose order the venue
        does not find yet fails the read: without its id a fill of ours would look like somebody else's.
        """
        traded = {one.order_id: one.fill.time for one in found if one.fill.kind == rows.TRADE}
        unknown = [order_id for order_id in traded if order_id not in self._names]
        if len(unknown) > FEW_ORDERS:
            start_s = max(span_s[0] - DAY_S, span_s[1] - WEEK_S)
            span = {"startAt": int(start_s * 1000), "endAt": int(span_s[1] * 1000)}
            listed = await together(self.orders("done", **span), self.orders("active"))
            self.learn({row.order_id: row.client_id for of_list in listed for row in of_list})
            unknown = [order_id for order_id in unknown if order_id not in self._names]
        looked_up = await together(*(self._look_up(order_id) for order_id in unknown))
        for order_id, row in zip(unknown, looked_up, strict=True):
            if row is None and now_s - traded[order_id] < SETTLED_S:
                raise Unavailable("the venue does not know the order of a recent fill yet; the fills count as unread")
            self.learn({order_id: None if row is None else row.client_id})
        return [rows.named(one, self._names) for one in found]

    async def _look_up(self, order_id: str) -> OrderRow | None:
        row = errors.found(await answered("kucoin", self._client.get_order_details(order_id)))
        with usable(f"{ORDERS}/{{id}}"):
            return None if row is None else rows.order_row(row)

    async def funding(self, symbols: Collection[Symbol], start_s: float, stop_s: float) -> list[Funding]:
        """Of each symbol; nothing is asked where no full hour lies in the span, for funding is due at such."""
        if int(start_s // HOUR_S) == int(stop_s // HOUR_S):
            return []
        found = await together(*(self._funding_of(symbol, start_s, stop_s) for symbol in sorted(symbols)))
        return [one for of_symbol in found for one in of_symbol]

    async def _funding_of(self, symbol: Symbol, start_s: float, stop_s: float) -> Iterable[Funding]:
        """Newest first, so each further question ends where the oldest answer begins."""
        found: dict[float, Funding] = {}
        end_ms, name = int(stop_s * 1000), codec.venue_symbol(symbol)
        for _ in range(FUNDING_PAGES):
            answer, payload = await read(self._client.get_funding(name, int(start_s * 1000), end_ms))
            with usable(answer.place):
                paid, more = rows.funding(payload)
            known = len(found)
            found |= {one.time: one for one in paid}
            if not more:
                return found.values()
            if len(found) == known:
                break
            end_ms = int(min(found) * 1000)
        raise Unavailable(f"the funding of {symbol} does not end, so it counts as unread")


async def pages(call: Callable[..., Awaitable[Answer]], query: Mapping[str, Any]) -> list[Row]:
    """Every row of a numbered list, or none: one page that fails fails the whole read.

    Lists are newest first, so one that grows meanwhile repeats rows at a page's end; one that shrinks would lose some.
    """
    found: list[Row] = []
    number, before = 1, 0
    while True:
        answer, payload = await read(call(**query, currentPage=number, pageSize=PAGE_SIZE))
        with usable(answer.place):
            page = rows.page(payload)
        if page.total < before:
            raise Unavailable(f"{answer.place}: the list shrank while it was read, so it counts as unread")
        found += page.items
        if number >= page.pages or not page.items:
            return found
        if number >= MAX_PAGES:
            raise Unavailable(f"{answer.place}: its pages do not end, so the list counts as unread")
        number, before = number + 1, page.total
