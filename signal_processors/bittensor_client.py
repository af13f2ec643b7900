"""Asking the SN8 feed: one GET, the API key in its JSON body and as `Authorization`, the answer piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from account_processors.transport import HttpTransport
from config.credentials_file import BittensorCredentials
from core.errors import TransportError
from core.ports import Request
from core.state.jsonfile import encode

DEADLINE_S = 3.0
LONGEST_S = 60.0
"""With our own work on the answer, which does not count against the feed's deadline."""

Take = Callable[[bytes], None]


class FeedTrouble(Exception):
    """No answer could be had; the text says what happened."""


class Feed(Protocol):
    """Where replies come from."""

    async def fetch(self, take: Take) -> None:
        """Hands the whole reply to `take`, in pieces. Raises FeedTrouble, and what `take` raises."""


class HttpFeed:
    """The feed behind an endpoint. The key is in no message."""

    def __init__(
        self, credentials: BittensorCredentials, transport: HttpTransport, deadline_s: float = DEADLINE_S
    ) -> None:
        self._credentials = credentials
        self._transport = transport
        self._deadline_s = deadline_s

    async def fetch(self, take: Take) -> None:
        key = self._credentials.api_key.reveal()
        headers = {"Authorization": key, "Content-Type": "application/json", "Accept": "application/json"}
        body = encode({"api_key": key})
        request = Request("GET", self._credentials.endpoint, headers, body, deadline_s=LONGEST_S)
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._deadline_s) as limit:

                def timed(piece: bytes) -> None:
                    began_s = loop.time()
                    take(piece)
                    end_s = limit.when()
                    assert end_s is not None
                    limit.reschedule(end_s + loop.time() - began_s)

                response = await self._transport.send(request, timed)
        except TimeoutError:
            raise FeedTrouble(f"gave no complete answer within {self._deadline_s:g} s") from None
        except TransportError as error:
            raise FeedTrouble(f"could not be read: {error}") from None
        if response.status != 200:
            raise FeedTrouble(f"answered HTTP {response.status}{_meaning(response.status)}")


def _meaning(status: int) -> str:
    if status in (401, 403):
        return ", which means that it does not take the API key: see bittensor_sn8 in credentials.json"
    if 300 <= status < 400:
        return ", a redirection, which is not followed: put the address it leads to into credentials.json"
    return ""
