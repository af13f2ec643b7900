"""Bybit's `/v5/trade`: order entry over a websocket is not simulated, and says so.

A client can log in and ping; every order it sends is refused with the venue's code for an operation it does not have,
so that nobody takes silence for an order.

Source: https://bybit-exchange.github.io/docs/v5/websocket/trade/guideline
"""

from __future__ import annotations

from simulator.facades.bybit.auth import authenticate_stream
from simulator.facades.bybit.codes import MESSAGES, PARAMETER_ERROR
from simulator.facades.bybit.context import Venue
from simulator.facades.bybit.stream_idle import Idle
from simulator.facades.bybit.stream_private import WAKE_S
from simulator.facades.bybit.stream_wire import Asked, Unreadable, frame
from simulator.facades.bybit.wire import Json, Refusal, ms

REPEATED = 20001
NO_SUCH_OP = 10404
NOT_SIMULATED = "op type is not found: the simulator takes orders by POST /v5/order/create only"


class TradeSession:
    """One connection for order entry, on which no order can be entered."""

    def __init__(self, venue: Venue, connection: str, allowed_s: float) -> None:
        self._venue = venue
        self._connection = connection
        self._account: str | None = None
        self._idle = Idle(venue.exchange.clock.monotonic(), allowed_s)
        self._over = False

    @property
    def account(self) -> str | None:
        return self._account

    @property
    def over(self) -> bool:
        return self._over

    @property
    def wake_in_s(self) -> float:
        return WAKE_S

    def receive(self, text: str) -> tuple[str, ...]:
        try:
            asked = Asked.of(text, "reqId")
        except Unreadable as error:
            return (self._answer(Asked("", "", ()), PARAMETER_ERROR, str(error)),)
        if asked.op == "ping":
            self._idle.active(self._venue.exchange.clock.monotonic())
            pong = Asked("pong", asked.id, ())
            return (self._answer(pong, 0, "OK", {"data": [str(ms(self._venue.exchange.time()))]}),)
        if asked.op == "auth":
            return (self._login(asked),)
        return (self._answer(asked, NO_SUCH_OP, NOT_SIMULATED, {"data": {}, "retExtInfo": {}, "header": {}}),)

    def _login(self, asked: Asked) -> str:
        if self._account is not None:
            return self._answer(asked, REPEATED, "Repeat auth")
        try:
            self._account = authenticate_stream(self._venue.exchange, asked.args, self._venue.addresses)
        except Refusal as refusal:
            return self._answer(asked, refusal.code, MESSAGES[refusal.code])
        return self._answer(asked, 0, "OK")

    def _answer(self, asked: Asked, code: int, message: str, more: Json | None = None) -> str:
        ids = {"reqId": asked.id} if asked.id else {}
        told = {**ids, "retCode": code, "retMsg": message, "op": asked.op, **(more or {}), "connId": self._connection}
        return frame(told)

    def push(self) -> tuple[str, ...]:
        self._over = self._over or self._idle.expired(self._venue.exchange.clock.monotonic())
        return ()

    def close(self) -> None:
        """Nothing was subscribed to."""
