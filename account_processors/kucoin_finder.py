"""What became of a KuCoin Futures order, by our id: short where the venue acknowledged it, thorough everywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from account_processors.codecs import kucoin as codec
from account_processors.codecs import kucoin_orders as rows
from account_processors.codecs import orders
from account_processors.codecs.wire import Malformed, epoch_s
from account_processors.kucoin_client import KucoinClient
from account_processors.kucoin_lists import WEEK_S, Lists
from account_processors.reading import together, usable
from account_processors.shared import VenueShared
from core.domain import ClientId, OrderOutcome, Symbol

OVERLAP_S = 1.0
TWIN_S = 900.0
"""Orders with one id are looked for so far around the one that was found; and so long an acknowledgement is kept."""
EARLY_S = 60.0
"""An order is in the lists by the venue's own time of it, which is before we hear of it."""
ALL_AT_ONCE = 10**9


@dataclass(frozen=True, slots=True)
class _Taken:
    """An acknowledgement: the venue's id of the order, and the venue's time when it came (epoch seconds)."""

    order_id: str
    at: float


class Finder:
    """Lookups of one account's orders. Everything raises `Unavailable` or `Denied`."""

    def __init__(self, owner: str, client: KucoinClient, lists: Lists, shared: VenueShared) -> None:
        self._batch = f"recent orders of {owner}"
        self._client = client
        self._lists = lists
        self._shared = shared
        self._taken: dict[ClientId, _Taken] = {}

    def took(self, client_id: ClientId, order_id: str, rests: bool) -> None:
        """The venue acknowledged an order; one that may rest is always looked up thoroughly."""
        self._lists.learn({order_id: client_id})
        if rests:
            self._taken.pop(client_id, None)
            return
        now = self._client.venue_clock.now()
        self._taken = {known: one for known, one in self._taken.items() if one.at > now - TWIN_S}
        self._taken[client_id] = _Taken(order_id, now)

    async def find(self, symbol: Symbol, client_id: ClientId) -> OrderOutcome | None:
        """None only if the lookup by id, the open and the finished orders all answered and none knows the id."""
        taken = self._taken.get(client_id)
        if taken is not None:
            asked = await self._shared.batch(self._batch, [client_id], self._recent, ALL_AT_ONCE, fresh=True)
            if (outcome := asked.get(client_id)) is not None:
                return outcome
        return await self._thoroughly(symbol, client_id)

    async def _recent(self, wanted: frozenset[str]) -> Mapping[str, OrderOutcome]:
        """Acknowledged orders in two requests for all who ask together; those whose story is whole, twins included.

        What does not rest is finished or about to be, so that the open orders need not be read.
        """
        now = self._client.venue_clock.now()
        ids = [ClientId(one) for one in wanted if ClientId(one) in self._taken]
        since = min((self._taken[one].at for one in ids), default=now) - EARLY_S
        span = {"startAt": int(since * 1000), "endAt": int((now + OVERLAP_S) * 1000)}
        done, fills = await together(self._lists.orders("done", **span), self._lists.fills(**span))
        whole: dict[str, OrderOutcome] = {}
        for client_id in ids:
            named = {row.order_id: row for row in done if row.client_id == client_id}
            outcome = orders.outcome([*named.values()], [one for one in fills if one.order_id in named])
            complete = outcome is not None and (outcome.filled == 0 or outcome.fee is not None)  # the fee is of fills
            if outcome is not None and outcome.final and complete and self._taken[client_id].order_id in named:
                whole[client_id] = outcome
        return whole

    async def _thoroughly(self, symbol: Symbol, client_id: ClientId) -> OrderOutcome | None:
        """By id, then in the lists of open and finished orders, then the fills of every order that was found."""
        end_s = self._client.venue_clock.now() + OVERLAP_S
        start_s, listed = end_s - WEEK_S, []
        if (row := await self._lists.order_of(client_id)) is not None:
            with usable("/api/v1/orders/byClientOid"):
                listed, made_s = [rows.order_row(row)], epoch_s(row, "createdAt")
                if listed[0].client_id != client_id:
                    raise Malformed("the answer is about another order")
            start_s, end_s = made_s - TWIN_S, min(end_s, made_s + TWIN_S)
        name = codec.venue_symbol(symbol)
        span = {"startAt": int(start_s * 1000), "endAt": int(end_s * 1000)}
        found = await together(
            self._lists.orders("active", symbol=name), self._lists.orders("done", symbol=name, **span)
        )
        listed += [one for of_list in found for one in of_list if one.client_id == client_id]
        # The lists are written apart from each other: of one order the furthest state is true.
        by_id = {one.order_id: one for one in sorted(listed, key=lambda one: (one.final, one.filled))}
        fills = await together(*(self._lists.fills(orderId=order_id) for order_id in by_id))
        self._lists.learn(dict.fromkeys(by_id, client_id))
        return orders.outcome([*by_id.values()], [one for of_order in fills for one in of_order])
