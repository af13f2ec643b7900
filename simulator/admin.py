"""The admin of a simulated world, sans-I/O: what `/_sim/…` takes and answers, in JSON values.

Every method takes the JSON body of its endpoint and raises `ConfigError` naming the field that is wrong; then nothing
was changed. Numbers may be JSON numbers or texts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from core.domain import MarginMode, PositionMode, Symbol, plain
from core.errors import ConfigError
from core.state import fields
from simulator import controls, ledger
from simulator.exchange import Exchange, FillKind, Listing, Refused
from simulator.fault_body import fault_from, fault_row
from simulator.market import Pin
from simulator.strict import loads
from simulator.world import Venue, World

Body = Mapping[str, object]
Json = Mapping[str, object]

MAX_OFFSET_MS = 10**12
MAX_EQUITY = Decimal(10) ** 12
FACTS = (
    "contract_size",
    "lot",
    "tick",
    "min_contracts",
    "max_contracts",
    "max_market_contracts",
    "min_notional",
    "max_leverage",
)
"""What `/_sim/instrument` can change, besides `tradable`."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` and the JSON value of an HTTP answer."""

    status: int
    value: object


class Admin:
    """Arranges and inspects a world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._routes: Mapping[tuple[str, str], Callable[[Body], Json]] = {
            ("GET", "ledger"): lambda _: self.ledger(),
            ("POST", "price"): self.price,
            ("DELETE", "price"): lambda _: self.unpin(),
            ("POST", "position"): self.position,
            ("POST", "account"): self.account,
            ("POST", "clock"): self.clock,
            ("POST", "instrument"): self.instrument,
            ("POST", "faults"): self.fault,
            ("GET", "faults"): lambda _: self.faults(),
            ("DELETE", "faults"): lambda _: self.clear_faults(),
        }

    # --- reading ------------------------------------------------------------------------------------------------------

    def ledger(self) -> Json:
        return ledger.ledger(self._world)

    def faults(self) -> Json:
        """Every fault not deleted, spent ones included, with its hits."""
        return {"faults": [fault_row(fault) for fault in self._world.faults.all()]}

    # --- arranging ----------------------------------------------------------------------------------------------------

    def price(self, body: Body) -> Json:
        """`{"symbol", "price", "last"?}`: pins mark (and last, else the same) on every venue that lists it."""
        only(body, "symbol", "price", "last")
        symbol = Symbol(fields.text(needed(body, "symbol"), "symbol"))
        if symbol not in self._world.market.symbols():
            raise ConfigError("symbol", f"no venue lists {symbol!r}; GET /_sim/ledger shows the symbols under prices")
        price = above_zero(needed(body, "price"), "price")
        last = above_zero(body["last"], "last") if body.get("last") is not None else None
        self._world.market.pin(symbol, Pin(price, last))
        self._catch_up()
        return {"symbol": symbol, "price": plain(price), "last": plain(price if last is None else last)}

    def unpin(self) -> Json:
        """Lets every price move again."""
        self._world.market.unpin()
        self._catch_up()
        return {"pinned": []}

    def position(self, body: Body) -> Json:
        """`{"venue", "account", "symbol", "quantity", "kind"}`: a foreign fill at mark, up to the absolute quantity."""
        only(body, "venue", "account", "symbol", "quantity", "kind")
        exchange, account = self._place(body)
        listing = listed(exchange, needed(body, "symbol"))
        kinds = {kind.value: kind for kind in (FillKind.LIQUIDATION, FillKind.ADL)} | {"manual": FillKind.TRADE}
        kind = kinds[one_of(body.get("kind", "manual"), "kind", kinds)]
        quantity = fields.decimal(needed(body, "quantity"), "quantity")
        try:
            contracts = quantity / listing.instrument.contract_size
            fill = exchange.foreign(account, listing.symbol, contracts, kind)
        except Refused as refused:
            raise ConfigError("quantity", f"is {quantity}: {refused}") from None
        after = exchange.state.accounts[account].net(listing.symbol)
        return {
            "position": plain(listing.instrument.quantity(after)),
            "fill": None if fill is None else ledger.fill_row(fill),
        }

    def account(self, body: Body) -> Json:
        """`{"venue", "account", "equity"?, "position_mode"?, "margin_mode"?, "leverage"?, "can_trade"?}`: by force,
        whatever is open. `leverage` is one number for every symbol, or `{symbol: number}`."""
        only(body, "venue", "account", "equity", "position_mode", "margin_mode", "leverage", "can_trade")
        exchange, name = self._place(body)
        state, account = exchange.state, exchange.state.accounts[name]
        todo: list[Callable[[], None]] = []
        if "can_trade" in body:
            can_trade = flag(body["can_trade"], "can_trade")
            todo.append(lambda: setattr(account, "can_trade", can_trade))
        if "position_mode" in body:
            position_mode = PositionMode(one_of(body["position_mode"], "position_mode", list(PositionMode)))
            todo.append(lambda: controls.force_position_mode(state, account, position_mode))
        if "margin_mode" in body:
            margin_mode = MarginMode(one_of(body["margin_mode"], "margin_mode", list(MarginMode)))
            todo.append(lambda: controls.force_margin_mode(account, margin_mode))
        if "leverage" in body:
            leverages = leverages_of(exchange, body["leverage"])
            todo.append(lambda: account.leverages.update(leverages))
        if "equity" in body:
            equity = bounded(fields.decimal(body["equity"], "equity"), "equity", MAX_EQUITY)
            todo.append(lambda: controls.force_equity(state, account, equity))
        for step in todo:
            step()
        account_now = ledger.account_ledger(exchange, name)
        return {key: value for key, value in account_now.items() if key not in ("orders", "fills", "dropped")}

    def clock(self, body: Body) -> Json:
        """`{"venue", "offset_ms"}`: the venue's clock runs that much ahead of (or, negative, behind) ours."""
        only(body, "venue", "offset_ms")
        _, venue = self._venue(body)
        offset_ms = fields.whole(needed(body, "offset_ms"), "offset_ms", -MAX_OFFSET_MS)
        bounded(Decimal(offset_ms), "offset_ms", Decimal(MAX_OFFSET_MS))
        venue.exchange.state.offset_s = offset_ms / 1000
        return {"offset_ms": offset_ms, "venue_time": venue.exchange.time()}

    def instrument(self, body: Body) -> Json:
        """`{"venue", "symbol", …}`: changes facts of a listing: any of `FACTS`, and `tradable`."""
        only(body, "venue", "symbol", "tradable", *FACTS)
        _, venue = self._venue(body)
        listing = listed(venue.exchange, needed(body, "symbol"))
        facts: dict[str, Any] = {}
        for name in FACTS:
            if name in body:
                facts[name] = above_zero(body[name], name, zero_too=name == "min_notional")
        tradable = flag(body["tradable"], "tradable") if "tradable" in body else listing.instrument.tradable
        instrument = replace(listing.instrument, tradable=tradable, **facts)
        venue.exchange.state.put_listing(replace(listing, instrument=instrument))
        shown = {name: plain(getattr(instrument, name)) for name in FACTS}
        return {"symbol": listing.symbol, **shown, "tradable": tradable}

    # --- faults -------------------------------------------------------------------------------------------------------

    def fault(self, body: Body) -> Json:
        """`{"venue", "account"?, "match", "kind", "value"?, "count" | "probability", "landed"?}` -> `{"id"}`."""
        name, venue = self._venue(body)
        make = fault_from(body, name, venue.exchange.accounts())
        try:
            return {"id": self._world.faults.add(make).id}
        except OverflowError as error:
            raise ConfigError("faults", str(error)) from None

    def clear_faults(self, fault_id: int | None = None) -> Json:
        """Deletes one fault or all of them; `deleted` says how many that were."""
        return {"deleted": self._world.faults.delete(fault_id)}

    # --- over HTTP ----------------------------------------------------------------------------------------------------

    def handle(self, method: str, path: str, body: bytes) -> Answer:
        """One request to the admin: any path, any bytes. Never raises for anything a client can send."""
        name = path.removeprefix("/_sim/") if path.startswith("/_sim/") else ""
        head, _, rest = name.partition("/")
        if method == "DELETE" and head == "faults" and rest:
            return self._delete_fault(rest)
        route = self._routes.get((method, name))
        if route is None:
            return self._no_route(method, path, name)
        try:
            return Answer(200, route(loads(body) if method == "POST" else {}))
        except ConfigError as error:
            return Answer(400, {"error": str(error), "field": error.where})

    def _no_route(self, method: str, path: str, name: str) -> Answer:
        methods = sorted(verb for verb, known in self._routes if known == name)
        if methods:
            return Answer(405, {"error": f"{path} takes {' and '.join(methods)}, not {method}", "field": "method"})
        known = ", ".join(sorted({f"/_sim/{known}" for _, known in self._routes}))
        return Answer(404, {"error": f"there is no {path}; there are {known}", "field": "path"})

    def _delete_fault(self, text: str) -> Answer:
        deleted = self._world.faults.delete(int(text)) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if not deleted:
            return Answer(404, {"error": f"there is no fault {text!r}; GET /_sim/faults lists them", "field": "id"})
        return Answer(200, {"deleted": deleted})

    # --- reading bodies -----------------------------------------------------------------------------------------------

    def _venue(self, body: Body) -> tuple[str, Venue]:
        name = one_of(needed(body, "venue"), "venue", self._world.venues)
        return name, self._world.venues[name]

    def _place(self, body: Body) -> tuple[Exchange, str]:
        _, venue = self._venue(body)
        return venue.exchange, one_of(needed(body, "account"), "account", venue.exchange.accounts())

    def _catch_up(self) -> None:
        """Lets a price act at once on what rests or may be liquidated."""
        for venue in self._world.venues.values():
            venue.exchange.advance()


def only(body: Body, *known: str) -> None:
    """Refuses a field nobody reads: most likely it is misspelt."""
    for name in body:
        if name not in known:
            raise ConfigError(name, f"is not known here; known are {', '.join(known)}")


def needed(body: Body, name: str) -> object:
    return fields.required(body, name, "")


def one_of(value: object, where: str, choices: Collection[str]) -> str:
    text = fields.text(value, where)
    if text not in choices:
        raise ConfigError(where, f"is {text[:40]!r}; it must be one of {', '.join(choices)}")
    return text


def above_zero(value: object, where: str, *, zero_too: bool = False) -> Decimal:
    found = bounded(fields.decimal(value, where), where, MAX_EQUITY)
    if found < 0 or (found == 0 and not zero_too):
        raise ConfigError(where, f"must be {'at least' if zero_too else 'above'} 0, not {found}")
    return found


def bounded(value: Decimal, where: str, most: Decimal) -> Decimal:
    if abs(value) > most:
        raise ConfigError(where, f"must be within -{most} and {most}")
    return value


def flag(value: object, where: str) -> bool:
    if not isinstance(value, bool):
        raise ConfigError(where, "must be true or false")
    return value


def listed(exchange: Exchange, value: object) -> Listing:
    try:
        return exchange.listing(fields.text(value, "symbol"))
    except Refused as refused:
        raise ConfigError("symbol", str(refused)) from None


def leverages_of(exchange: Exchange, value: object) -> dict[Symbol, Decimal]:
    """One number for every listing (capped to what each allows), or a number per symbol."""
    if not isinstance(value, Mapping):
        every = above_zero(value, "leverage")
        return {it.symbol: min(every, it.instrument.max_leverage) for it in exchange.listings()}
    return {
        listed(exchange, symbol).symbol: above_zero(number, f"leverage.{symbol}") for symbol, number in value.items()
    }
