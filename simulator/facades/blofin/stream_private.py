"""BloFin's `/ws/private`: login, and the channels positions, orders and account.

Source: https://docs.blofin.com. Positions begin with a snapshot, orders do not; positions and account come again at
regular intervals as well. What is not documented is at its worst: a position that was closed is in no message any more,
and how often the regular ones come is a guess. See `context.Ways`.
"""

from __future__ import annotations

from core.domain import Symbol
from simulator.facades.blofin import stream_rows as rows
from simulator.facades.blofin.auth import Door
from simulator.facades.blofin.context import Call, Venue
from simulator.facades.blofin.news import ACCOUNT, CHANNELS, NOTHING_ASKED, ORDERS, POSITIONS, Message, News
from simulator.facades.blofin.stream_wire import LOGIN, LOGIN_FAILED, Asked, Channel, error, frame, news
from simulator.facades.blofin.wire import Refusal
from simulator.facades.parts import Json
from simulator.model import Refused

WAITING = 1_000
"""Orders not yet fetched. A client that lets more wait loses the connection."""
WAKE_S = 1.0


class PrivateDesk:
    """See `stream_session.Desk`."""

    def __init__(self, venue: Venue, told: News, door: Door) -> None:
        self._venue = venue
        self._news = told
        self._door = door
        self._call: Call | None = None
        self._channels: list[Channel] = []
        self._begun: list[Channel] = []
        """Subscribed to, and still without their snapshot."""
        self._orders: list[Json] = []
        self._moved: dict[Symbol, None] = {}
        self._paid = False
        self._regular_s = 0.0
        self._flooded = False

    @property
    def account(self) -> str | None:
        return None if self._call is None else self._call.account

    @property
    def wake_in_s(self) -> float:
        return WAKE_S

    @property
    def flooded(self) -> bool:
        return self._flooded

    # --- what the client says -----------------------------------------------------------------------------------------

    def login(self, asked: Asked) -> str:
        """The venue gives no reason for a refusal. A second login, of whomever, is one too many."""
        try:
            account = self._door.stream_account(asked.args[0] if len(asked.args) == 1 else None)
        except Refusal:
            return error(LOGIN_FAILED, "Login failed.")
        if self._call is not None and self._call.account != account:
            return error(LOGIN_FAILED, "Login failed.")
        if self._call is None:
            self._call = Call(self._venue, account, NOTHING_ASKED)
            self._news.readers.join(account, self)
        return frame({"event": LOGIN, "code": "0", "msg": ""})

    def opens(self, channel: Channel) -> bool:
        if self._call is None or channel.name not in CHANNELS or not self._listed(channel):
            return False
        if channel not in self._channels:
            self._channels.append(channel)
        self._begun += [channel] if channel.name == POSITIONS else []
        if len(self._channels) == 1:
            self._regular_s = self._venue.exchange.clock.monotonic() + self._venue.ways.regular_s
        return True

    def _listed(self, channel: Channel) -> bool:
        """The channel of the account is about no contract."""
        if not channel.inst_id:
            return True
        try:
            self._venue.exchange.listing_at(channel.inst_id)
        except Refused:
            return False
        return channel.name != ACCOUNT

    def leaves(self, channel: Channel) -> None:
        self._channels.remove(channel)
        self._begun = [one for one in self._begun if one != channel]

    # --- what the account's news bring --------------------------------------------------------------------------------

    def wants(self, topic: str) -> bool:
        return not self._flooded and any(channel.name == topic for channel in self._channels)

    def hear(self, message: Message) -> None:
        if message.order is not None:
            self._orders.append(message.order)
            self._flooded = self._flooded or len(self._orders) > WAITING
        elif message.symbol is not None:
            self._moved[message.symbol] = None
        else:
            self._paid = True

    def due(self) -> tuple[str, ...]:
        call = self._call
        self._venue.exchange.advance()
        if call is None or self._flooded:
            return ()
        now_s = self._venue.exchange.clock.monotonic()
        regular = bool(self._channels) and now_s >= self._regular_s
        if regular:
            self._regular_s = now_s + self._venue.ways.regular_s
        ordered = self._told_orders()
        placed = [*self._snapshots(call), *self._positions(call, regular)]
        parts = (placed, ordered) if self._venue.ways.positions_first else (ordered, placed)
        return (*parts[0], *parts[1], *self._money(call, regular))

    def _told_orders(self) -> list[str]:
        found, self._orders = self._orders, []
        chosen = [channel for channel in self._channels if channel.name == ORDERS]
        return [
            news(channel, [row], action="snapshot")
            for row in found
            for channel in chosen
            if channel.inst_id in ("", row["instId"])
        ]

    def _snapshots(self, call: Call) -> list[str]:
        begun, self._begun = self._begun, []
        return [news(channel, self._rows(call, channel, None)) for channel in begun]

    def _positions(self, call: Call, regular: bool) -> list[str]:
        moved, self._moved = tuple(self._moved), {}
        chosen = [channel for channel in self._channels if channel.name == POSITIONS]
        found = ((channel, self._rows(call, channel, None if regular else moved)) for channel in chosen)
        return [news(channel, listed) for channel, listed in found if listed]

    def _rows(self, call: Call, channel: Channel, only: tuple[Symbol, ...] | None) -> list[Json]:
        """Positions of a channel; `only` those symbols, or all that are open."""
        with self._venue.lag.positions():
            if only is None:
                views = list(call.exchange.positions(call.account))
            else:
                views = [view for symbol in only for view in call.exchange.positions(call.account, symbol)]
        shown = [view for view in views if view.contracts or (only is not None and self._venue.ways.closed_shown)]
        found = [rows.position(call, view) for view in shown]
        return [row for row in found if channel.inst_id in ("", row["instId"])]

    def _money(self, call: Call, regular: bool) -> list[str]:
        paid, self._paid = self._paid, False
        chosen = [channel for channel in self._channels if channel.name == ACCOUNT]
        return [news(channel, rows.account(call)) for channel in chosen] if paid or regular else []

    def close(self) -> None:
        if self._call is not None:
            self._news.readers.leave(self._call.account, self)
