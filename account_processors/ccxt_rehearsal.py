"""Orders at an exchange of ccxt, tried out before they go: what would be on the wire, and what ccxt would do besides.

An exchange passes if each shape of order is one request, with our id in it and nothing before it once ccxt has learnt
what it wants to know, and if immediate-or-cancel and reduce-only are seen on the wire. Nothing is sent but reads.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ccxt.base import errors as sdk_errors

from account_processors.ccxt_client import UNREADABLE, CcxtClient
from account_processors.ccxt_exchange import Unprepared
from account_processors.codecs.ccxt_facts import leverage_goes_along, order_type, order_words
from core.domain import (
    ClientId,
    Instrument,
    MarginMode,
    OrderKind,
    PlaceOrder,
    Problem,
    Scope,
    Side,
    TimeInForce,
    plain,
)
from core.errors import OurFault, Rejected, Unavailable
from core.ports import Request

TRIAL = ClientId("7ac1e5" + "0" * 26)
"""Our id in rehearsals; as long as a real one, and never sent."""
PRICE_TICKS = 100_000
IOC = frozenset({"ioc", "immediateorcancel"})
REDUCES = re.compile(r"reduce|close", re.IGNORECASE)
NO = frozenset({"", "false", "0", "none", "open"})

Arguments = tuple[Any, ...]
"""Of ccxt's `create_order`."""


class Rehearsal:
    """Of one account. `arguments` are those of real orders."""

    def __init__(self, client: CcxtClient) -> None:
        self._client = client
        self._ready = False
        self._again: tuple[ClientId, Arguments] | None = None

    def arguments(self, order: PlaceOrder, instrument: Instrument, client_id: ClientId) -> Arguments:
        """Raises `OurFault` for an order that makes no sense, and `Rejected` where ccxt would write another size or
        price than was planned."""
        name, sdk, facts = instrument.venue_symbol, self._client.sdk, self._client.facts
        legal = order.contracts > 0 and (order.kind is OrderKind.MARKET) == (order.price is None)
        legal = legal and order.kind is not OrderKind.STOP and (order.price is None or order.price > 0)
        if facts.order_says_leverage and leverage_goes_along(facts, order) and not order.reduce_only:
            legal = legal and order.leverage is not None and order.leverage > 0 and order.leverage % 1 == 0
        if not legal:
            raise OurFault(f"{self._client.exchange} {name}: {order} cannot be made; nothing was sent")
        try:
            written = [sdk.amount_to_precision(name, order.contracts)]
            wanted = [order.contracts]
            if order.price is not None:
                written.append(sdk.price_to_precision(name, order.price))
                wanted.append(order.price)
            exact = [Decimal(text) for text in written] == wanted
        except (sdk_errors.BaseError, *UNREADABLE):
            exact = False
        if not exact:
            what = f"{plain(order.contracts)} at {'market' if order.price is None else plain(order.price)}"
            raise Rejected(f"{self._client.exchange} {name}: ccxt cannot write {what} exactly; nothing was sent")
        words = order_words(facts, order, client_id)
        return (name, order_type(facts, order), order.side.value, order.contracts, order.price, words)

    async def problems(self, probe: Instrument) -> list[Problem]:
        """What speaks against orders here, tried on `probe`. Raises `Unavailable` or `Denied`."""
        self._ready = False
        try:
            opening, reduction = await self._tried(probe)
        except Unprepared as error:
            return [self._problem(Scope.ALL, "ccxt_order", str(error))]
        except Rejected as error:
            return [self._problem(Scope.ALL, "ccxt_precision", str(error))]
        self._ready = True
        if self._client.facts.proven:
            return []
        found = []
        if not any(_letters(value) in IOC for _, value in leaves(opening)):
            why = "ccxt does not put immediate-or-cancel on a limit order there, so it could rest"
            found.append(self._problem(Scope.INCREASES, "no_ioc", why))
        if not any(REDUCES.search(name) and _letters(value) not in NO for name, value in leaves(reduction)):
            why = "ccxt does not put reduce-only on an order there, so a reduction could open"
            found.append(self._problem(Scope.INCREASES, "no_reduce_only", why))
        return found

    async def before_orders(self, probe: Instrument) -> None:
        """What ccxt wants to know, it asks now. Raises `Unavailable` where orders cannot go out."""
        try:
            if not self._ready:
                await self._tried(probe)
                self._ready = True
            if self._again is not None:
                (client_id, arguments), self._again = self._again, None
                await self._client.rehearse(client_id, "create_order", *arguments)
        except (Unprepared, Rejected) as error:
            raise Unavailable(f"{self._client.exchange}: {error}; nothing was sent") from None

    def again(self, client_id: ClientId, arguments: Arguments) -> None:
        """An order of this shape was not prepared for."""
        self._again = (client_id, arguments)

    async def _tried(self, probe: Instrument) -> tuple[Request, Request]:
        """An opening order and a reduction as they would go out, in either margin mode."""
        try:
            return await self._tried_in(MarginMode.ISOLATED, probe)
        except Unprepared:
            return await self._tried_in(MarginMode.CROSS, probe)

    async def _tried_in(self, mode: MarginMode, probe: Instrument) -> tuple[Request, Request]:
        opening = PlaceOrder(
            symbol=probe.symbol,
            side=Side.BUY,
            contracts=max(probe.min_contracts, probe.lot),
            kind=OrderKind.LIMIT,
            price=probe.tick * PRICE_TICKS,
            tif=TimeInForce.IOC,
            reduce_only=False,
            leverage=Decimal(1),
            margin_mode=mode,
        )
        reduction = replace(opening, side=Side.SELL, kind=OrderKind.MARKET, price=None, reduce_only=True)
        return await self._try(opening, probe), await self._try(reduction, probe)

    async def _try(self, order: PlaceOrder, probe: Instrument) -> Request:
        trial = ClientId(TRIAL[: self._client.facts.client_id_hex_digits])
        arguments = self.arguments(order, probe, ClientId(self._client.facts.client_id_prefix + trial))
        call = await self._client.rehearse(trial, "create_order", *arguments)
        if call.before:
            call = await self._client.rehearse(trial, "create_order", *arguments)
        if call.before or call.order is None:
            raise Unprepared("ccxt asks the exchange something before every order, which takes too long")
        return call.order

    def _problem(self, scope: Scope, code: str, why: str) -> Problem:
        what = "nothing is sent" if scope is Scope.ALL else "nothing is opened"
        because = f"{self._client.exchange}: {why}; {what}. Use a venue of the engine's own (./run venues) instead"
        return Problem(scope, code, because)


def leaves(request: Request) -> Iterator[tuple[str, str]]:
    """Names and values of everything in a request's query and body."""
    yield from parse_qsl(urlsplit(request.url).query, keep_blank_values=True)
    text = request.body.decode(errors="replace")
    try:
        yield from _inside("", json.loads(text) if text else None)
    except ValueError:
        yield from parse_qsl(text, keep_blank_values=True)


def _inside(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for inner, item in value.items():
            yield from _inside(inner, item)
    elif isinstance(value, list):
        for item in value:
            yield from _inside(name, item)
    elif value is not None:
        yield name, str(value)


def _letters(value: str) -> str:
    return re.sub(r"[^a-z0-9]", "", value.lower())
