"""Hyperliquid's lists by time: complete over their pages, or not read at all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

import pytest

from account_processors.codecs.wire import Answer, Row, integer
from account_processors.hyperliquid_client import SHORTEST_FULL, HyperliquidClient, by_time
from core.errors import Unavailable

START_MS = 1_000
Spoil = Callable[[list[Row]], list[Row] | None]


class Listing:
    """Rows by time, `size` to a page, from the instant asked for on. `spoil` changes what a page holds."""

    address = "0xours"

    def __init__(self, times: list[int], size: int, spoil: Spoil | None = None) -> None:
        self.times = times
        self.size = size
        self.spoil = spoil
        self.asked: list[int] = []

    async def info(self, kind: str, *, user: str, startTime: int) -> Answer:
        self.asked.append(startTime)
        rows: list[Row] = [{"time": at} for at in self.times if at >= startTime]
        page: list[Row] | None = rows[: self.size]
        if self.spoil is not None and len(self.asked) > 1:
            page = self.spoil(rows[: self.size])
        status = 200 if page is not None else 502
        return Answer(status, {"data": page}, 0.0, 0.0, f"hyperliquid {kind}")


def listed(listing: Listing) -> list[int]:
    client = cast("HyperliquidClient", listing)
    rows = asyncio.run(by_time(client, "userFillsByTime", START_MS, lambda row: integer(row, "time")))
    return [cast("int", row["time"]) for row in rows]


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1200, 2500])
@pytest.mark.parametrize("size", [SHORTEST_FULL, 2 * SHORTEST_FULL])
def test_every_row_of_every_page_is_there(count: int, size: int) -> None:
    times = [START_MS + 3 * number for number in range(count)]
    listing = Listing(times, size)
    assert sorted(set(listed(listing))) == times
    assert listing.asked[0] == START_MS


def unsorted(page: list[Row]) -> list[Row]:
    return page[::-1]


def failing(page: list[Row]) -> None:
    return None


def repeated(page: list[Row]) -> list[Row]:
    return [{"time": START_MS}] * SHORTEST_FULL


@pytest.mark.parametrize("spoil", [unsorted, failing, repeated])
def test_a_page_that_does_not_go_on_makes_the_list_unread(spoil: Spoil) -> None:
    times = [START_MS + number for number in range(1200)]
    with pytest.raises(Unavailable):
        listed(Listing(times, SHORTEST_FULL, spoil))
