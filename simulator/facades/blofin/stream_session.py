"""One connection to BloFin's streams: heart-beat, subscriptions, and when the venue hangs up.

Source: https://docs.blofin.com, WebSocket and Rate Limits. The text `ping` is answered by `pong`. A connection ends
when for thirty seconds nothing was subscribed to, or neither data was pushed nor a ping came. All channels of a
connection may have 4096 bytes together.
"""

from __future__ import annotations

import json
from typing import Protocol

from core.ports import Clock
from simulator.facades.blofin.stream_wire import (
    LOGIN,
    PING,
    PONG,
    SUBSCRIBE,
    UNSUBSCRIBE,
    Asked,
    Channel,
    taken,
)

QUIET_S = 30.0
MOST_BYTES = 4096


class Desk(Protocol):
    """What stands behind one connection."""

    @property
    def account(self) -> str | None:
        """Whose it is; None before the login, and on a public one."""

    @property
    def wake_in_s(self) -> float: ...

    @property
    def flooded(self) -> bool:
        """More waits to be fetched than may."""

    def login(self, asked: Asked) -> str: ...

    def opens(self, channel: Channel) -> bool:
        """Begins to tell of a channel; False where there is no such one, or it is not open to this client."""

    def leaves(self, channel: Channel) -> None: ...

    def due(self) -> tuple[str, ...]:
        """The messages due now."""

    def close(self) -> None: ...


class StreamSession:
    """See `simulator.facades.Session`."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock
        self._channels: dict[Channel, int] = {}
        """Subscribed channels and their length in bytes."""
        self._alive_s = clock.monotonic()
        self._over = False

    @property
    def account(self) -> str | None:
        return self._desk.account

    @property
    def over(self) -> bool:
        return self._over

    @property
    def wake_in_s(self) -> float:
        return self._desk.wake_in_s

    def receive(self, text: str) -> tuple[str, ...]:
        if text == PING:
            if self._channels:
                self._alive_s = self._clock.monotonic()
            return (PONG,)
        asked = Asked.of(text)
        if asked.op == LOGIN:
            return (self._desk.login(asked),)
        if asked.op in (SUBSCRIBE, UNSUBSCRIBE) and asked.args:
            return tuple(self._choose(asked, arg) for arg in asked.args)
        return (asked.refused(),)

    def _choose(self, asked: Asked, arg: object) -> str:
        channel = Channel.of(arg)
        if channel is None:
            return asked.refused()
        if asked.op == UNSUBSCRIBE:
            if self._channels.pop(channel, None) is not None:
                self._desk.leaves(channel)
            return taken(asked.op, channel)
        length = len(json.dumps(channel.arg))
        if sum(self._channels.values()) + length > MOST_BYTES or not self._desk.opens(channel):
            return asked.refused()
        if not self._channels:
            self._alive_s = self._clock.monotonic()
        self._channels[channel] = length
        return taken(asked.op, channel)

    def push(self) -> tuple[str, ...]:
        frames, now_s = self._desk.due(), self._clock.monotonic()
        if frames:
            self._alive_s = now_s
        self._over = self._over or self._desk.flooded or now_s - self._alive_s > QUIET_S
        return frames

    def close(self) -> None:
        self._desk.close()
