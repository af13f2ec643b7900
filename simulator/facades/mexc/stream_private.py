"""What one login at MEXC's stream hears: orders, deals, positions, the money, the position mode.

Source: https://www.mexc.com/api-docs/futures/websocket-api. After the login everything is told without being asked for;
a filter chooses topics and contracts, the next one replaces it. Nothing of what is open already is told. What is not
documented is at its worst: a position that turns round ends under its id and begins under another, and the end is told
last.
"""

from __future__ import annotations

from collections.abc import Mapping

from core.domain import PositionMode, Symbol
from simulator.facades.mexc import stream_rows as rows
from simulator.facades.mexc.account import MODE_NUMBERS
from simulator.facades.mexc.context import Call, Venue
from simulator.facades.mexc.news import ASSET, DEAL, ORDER, POSITION, Message
from simulator.facades.mexc.wire import Params
from simulator.facades.parts import Json
from simulator.model import PositionSide, PositionView

SILENT = ("plan.order", "stop.order", "stop.planorder", "risk.limit", "adl.level")
TOPICS = (ORDER, DEAL, POSITION, ASSET, *SILENT)
"""Nothing ever happens on the silent ones here."""
WAITING = 1_000
"""Messages not yet fetched. A client that lets more wait loses the connection."""
Rules = Mapping[str, frozenset[str]]
"""Topic -> the venue's names of the contracts it is about; none: all."""
Leg = tuple[Symbol, PositionSide]


class WrongFilter(Exception):
    """A filter the venue does not know."""


class Listening:
    """One account's news on one connection. A `stories.Reader`."""

    def __init__(self, venue: Venue, account: str, rules: Rules) -> None:
        self.account = account
        self._call = Call(venue, account, Params({}))
        self._rules = rules
        self._told: list[Message] = []
        self._moved: dict[Symbol, None] = {}
        self._paid = False
        self._version = 0
        self._mode = self._position_mode()
        self._open = {_leg(view): self._row(view) for view in self._views(None)}
        """Positions as they were shown last."""

    @property
    def flooded(self) -> bool:
        return len(self._told) > WAITING

    # --- what it hears ------------------------------------------------------------------------------------------------

    def choose(self, rules: Rules) -> None:
        self._rules = rules

    def wants(self, topic: str) -> bool:
        return topic in self._rules and not self.flooded

    def hear(self, message: Message) -> None:
        if message.topic in (ORDER, DEAL):
            self._told.append(message)
        elif message.symbol is not None:
            self._moved[message.symbol] = None
        else:
            self._paid = True

    # --- what it says -------------------------------------------------------------------------------------------------

    def due(self) -> list[tuple[str, Json]]:
        """Channels and what to say there."""
        told, self._told = self._told, []
        found = [(message.topic, self._shown(message)) for message in told]
        found = [(topic, row) for topic, row in found if self._about(topic, row)]
        moved, self._moved = [*self._moved], {}
        found += [(POSITION, row) for symbol in moved for row in self._positions(symbol) if self._about(POSITION, row)]
        paid, self._paid = self._paid, False
        found += [(ASSET, rows.money(self._call))] if paid else []
        mode, self._mode = self._mode, self._position_mode()
        found += [("position.mode", {"positionMode": MODE_NUMBERS[self._mode]})] if mode is not self._mode else []
        return found

    def _about(self, topic: str, row: Json) -> bool:
        names = self._rules.get(topic, frozenset())
        return not names or row["symbol"] in names

    def _shown(self, message: Message) -> Json:
        call, order, fill = self._call, message.order, message.fill
        if message.topic == DEAL:
            assert fill is not None
            return rows.deal(call, fill, order)
        if order is not None:
            return rows.order(call, order)
        assert fill is not None
        return rows.foreign(call, fill)

    def _positions(self, symbol: Symbol) -> list[Json]:
        """What is open, then what was and is not any more."""
        views = {_leg(view): view for view in self._views(symbol)}
        before = {leg: row for leg, row in self._open.items() if leg[0] == symbol}
        now = {leg: self._row(view) for leg, view in views.items()}
        gone = [row for leg, row in before.items() if leg not in now or now[leg]["positionId"] != row["positionId"]]
        self._open = {leg: row for leg, row in self._open.items() if leg[0] != symbol} | now
        self._version += 1
        return [*now.values(), *(rows.ended(self._call, row, self._version) for row in gone)]

    def _views(self, symbol: Symbol | None) -> list[PositionView]:
        return [view for view in self._call.exchange.positions(self.account, symbol) if view.contracts]

    def _row(self, view: PositionView) -> Json:
        self._version += 1
        return rows.position(self._call, view, self._version)

    def _position_mode(self) -> PositionMode:
        return self._call.exchange.info(self.account).position_mode


def _leg(view: PositionView) -> Leg:
    return Symbol(view.symbol), view.leg.position_side


def rules_of(filters: object) -> Rules:
    """The topics and contracts a filter chooses; none chooses all. Raises `WrongFilter`."""
    if filters in (None, []):
        return dict.fromkeys(TOPICS, frozenset())
    if not isinstance(filters, list):
        raise WrongFilter
    found: dict[str, frozenset[str]] = {}
    for one in filters:
        topic, names = (one.get("filter"), one.get("rules") or []) if isinstance(one, Mapping) else (None, [])
        if topic not in TOPICS or not isinstance(names, list):
            raise WrongFilter
        found[topic] = frozenset(map(str, names))
    return found
