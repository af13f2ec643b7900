"""The whole engine on Hyperliquid with its stream followed, whichever comes first, an order or its fills: faults end
where they end without the stream, within the fence (five seconds) + 10 s, never above the target in between."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

import simulator.facades.hyperliquid as facade
from simulator.facades.hyperliquid import HyperliquidFacade
from simulator.facades.hyperliquid.context import Behaviour
from tests.scenario import venue_stories as stories
from tests.scenario.rig import Rig

WITHIN_S = 5.0 + 10.0
BEHAVIOURS = [Behaviour(), Behaviour(orders_first=True, fills_name_orders=True), Behaviour(read_lag_s=1.5)]
CASES: list[stories.Case] = [
    *stories.STREAM_FAULTS,
    ("positions", "stale_positions_ms", {"value": 5_000, "count": 3}),
]


@pytest.fixture(params=BEHAVIOURS, ids=["documented", "kind", "late"])
def venue(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    build = partial(HyperliquidFacade, behaviour=request.param)
    monkeypatch.setattr(facade, "VENUE", replace(facade.VENUE, build=build))


@pytest.mark.parametrize("case", CASES, ids=stories.named(CASES))
@pytest.mark.parametrize("story", stories.STORIES[1:], ids="-".join)
@pytest.mark.usefixtures("venue")
def test_one_fault(case: stories.Case, story: tuple[str, ...]) -> None:
    it = Rig(venue="hyperliquid")
    it.run(stories.one_fault_while_streaming(it, case, story, WITHIN_S))
