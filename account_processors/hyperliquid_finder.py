"""What became of Hyperliquid orders, by our id, and whose the fills of an account are.

A lookup by our id shows one order, open or final. How much of it was filled is in the fills, which name the venue's id
of their order and may not name ours; whose an order is, is learnt from acknowledgements and from the orders themselves.
An order that is nowhere after its end of validity is made impossible before its absence counts: its nonce is used up.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping

from account_processors.codecs import hyperliquid as codec
from account_processors.codecs import hyperliquid_errors as errors
from account_processors.codecs import hyperliquid_orders as orders
from account_processors.codecs.orders import Execution, OrderRow, outcome
from account_processors.hyperliquid_client import HyperliquidClient, Stamp, by_time, read
from account_processors.reading import together, usable
from account_processors.remembering import remember
from core.domain import ClientId, OrderOutcome
from core.errors import TransportError, Unavailable

BEFORE_S = 60.0
"""Fills are asked for from this much before an order, so that one that was sent twice is seen too."""
LOOK_BACK_S = 86_400.0
"""How far back an order is looked for whose time of sending is not known and which the venue does not show."""
FEW = 5
"""Orders whose owners are asked for one by one; more of them are read from the list of orders."""
MOST = 200
"""Owners asked for one by one after that list; it ends with the two thousandth order."""
SETTLING_S = 10.0
"""A fill this young may be told of before its order is."""


class Finder:
    """Lookups of one account's orders. Everything raises `Unavailable`."""

    def __init__(self, client: HyperliquidClient) -> None:
        self._client = client
        self._owners: OrderedDict[str, ClientId | None] = OrderedDict()
        self._sent: OrderedDict[ClientId, Stamp] = OrderedDict()
        self._spent: OrderedDict[ClientId, None] = OrderedDict()

    @property
    def owners(self) -> Mapping[str, ClientId | None]:
        """The venue's id of an order -> ours, as far as known; None: the order is somebody else's."""
        return self._owners

    # --- what sends leave behind --------------------------------------------------------------------------------------

    def sent(self, client_id: ClientId, stamp: Stamp) -> None:
        """An order is about to be sent with this stamp."""
        remember(self._sent, client_id, stamp)
        self._spent.pop(client_id, None)

    def learn(self, order_id: str, client_id: ClientId | None) -> None:
        """Whose an order is."""
        remember(self._owners, order_id, client_id)

    # --- lookups ------------------------------------------------------------------------------------------------------

    async def find(self, client_id: ClientId) -> OrderOutcome | None:
        """None only if neither the orders nor the fills know it, and, once it is too late for it, it cannot come."""
        now_s, stamp = self._client.venue_clock.now(), self._sent.get(client_id)
        seen = await self._order(client_id)
        late = stamp is not None and now_s * 1000 >= stamp.expires_ms
        if seen is None and stamp is not None and not late:
            return None  # it may still come, so that its absence means nothing
        if seen is None and stamp is not None and client_id not in self._spent:
            await self._spend(client_id, stamp)
            seen = await self._order(client_id)
        if seen is not None and not seen.row.final:
            return outcome([seen.row], ())
        began_s = now_s - LOOK_BACK_S if stamp is None else stamp.nonce / 1000
        began_s = began_s if seen is None else min(began_s, seen.at_s) if stamp else seen.at_s
        found = [one for one in await self.fills(began_s - BEFORE_S) if one.fill.client_id == client_id]
        twins = await self._twins(found, seen)
        return outcome(twins, found)

    async def fills(self, since_s: float) -> list[Execution]:
        """Every fill since an instant of the venue, with its owner."""
        listed = await by_time(self._client, "userFillsByTime", int(since_s * 1000), orders.made_at_ms)
        with usable("userFillsByTime"):
            moved = orders.fills(listed, self._client.address)
        await self._learn_owners(moved)
        return orders.owned(moved, self._owners)

    async def _order(self, oid: ClientId | int) -> orders.Seen | None:
        """One order, by our id or by the venue's."""
        answer, payload = await read(self._client.info("orderStatus", user=self._client.address, oid=oid))
        with usable(answer.place):
            seen = orders.order_status(payload)
        if seen is not None:
            self.learn(seen.row.order_id, seen.row.client_id)
        return seen

    async def _twins(self, found: Collection[Execution], seen: orders.Seen | None) -> list[OrderRow]:
        """The order, and every other one whose fills carry the same id of ours."""
        known = {} if seen is None else {seen.row.order_id: seen.row}
        others = sorted({one.order_id for one in found} - known.keys())
        shown = await together(*(self._order(int(order_id)) for order_id in others))
        return [*known.values(), *(twin.row for twin in shown if twin is not None)]

    async def _spend(self, client_id: ClientId, stamp: Stamp) -> None:
        """Uses up the nonce of an order that is nowhere: whatever is under way with it can no longer be executed."""
        try:
            answer = await self._client.spend(stamp.nonce, codec.NOOP)
        except TransportError as error:
            raise Unavailable(f"hyperliquid did not answer ({error}); the lookup is repeated") from None
        errors.nonce_spent(answer)
        remember(self._spent, client_id, None)

    # --- owners -------------------------------------------------------------------------------------------------------

    async def _learn_owners(self, moved: Collection[orders.Moved]) -> None:
        """Finds out whose the orders of fills are. Raises `Unavailable` where one is not shown yet that may be ours."""
        for one in moved:
            if (told := one.execution.fill.client_id) is not None:
                self.learn(one.execution.order_id, told)
        unknown = self._unknown(moved)
        if len(unknown) > FEW:
            await self._learn_list()
            unknown = self._unknown(moved)
        if len(unknown) > MOST:
            raise Unavailable("hyperliquid: fills are listed of more orders than it shows; the list counts as unread")
        asked = {order_id: self._order(int(order_id)) for order_id in unknown}
        shown = dict(zip(asked, await together(*asked.values()), strict=True))
        young_s = self._client.venue_clock.now() - SETTLING_S
        if any(shown[order_id] is None and made_s > young_s for order_id, made_s in unknown.items()):
            raise Unavailable("hyperliquid: a fill is listed whose order is not yet; the engine asks again")

    def _unknown(self, moved: Collection[orders.Moved]) -> dict[str, float]:
        """Orders whose owner is not known -> the venue's instant of their latest fill."""
        return {
            one.execution.order_id: one.execution.fill.time
            for one in moved
            if not one.nobodys and one.execution.order_id not in self._owners
        }

    async def _learn_list(self) -> None:
        answer, payload = await read(self._client.info("historicalOrders", user=self._client.address))
        with usable(answer.place):
            for seen in orders.order_list(payload):
                self.learn(seen.row.order_id, seen.row.client_id)
