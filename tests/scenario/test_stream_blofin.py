"""The whole engine on BloFin with its stream followed, whatever the venue does where nobody documents it: faults end
where they end without the stream, within the fence (a minute) + 10 s, never above the target in between."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

import simulator.facades.blofin as facade
from simulator.facades.blofin import BloFinFacade
from simulator.facades.blofin.context import Ways
from tests.scenario import venue_stories as stories
from tests.scenario.rig import Rig

WITHIN_S = 60.0 + 10.0
WAYS: list[tuple[Ways, float]] = [
    (Ways(), 0.0),
    (Ways(closed_shown=True, positions_first=True), 0.0),
    (Ways(positions_first=True), 1.5),
]
"""How the stream behaves, and how long after an order its positions are still the old ones."""
CASES = [*stories.STREAM_FAULTS, stories.STALE]


@pytest.fixture(params=WAYS, ids=["documented", "kind", "late"])
def venue(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    ways, lag_s = request.param
    build = partial(BloFinFacade, ways=ways, read_lag_s=lag_s)
    monkeypatch.setattr(facade, "VENUE", replace(facade.VENUE, build=build))


@pytest.mark.parametrize("case", CASES, ids=stories.named(CASES))
@pytest.mark.parametrize("story", stories.STORIES[1:], ids="-".join)
@pytest.mark.usefixtures("venue")
def test_one_fault(case: stories.Case, story: tuple[str, ...]) -> None:
    it = Rig(venue="blofin")
    it.run(stories.one_fault_while_streaming(it, case, story, WITHIN_S))
