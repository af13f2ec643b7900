"""One seed, run: a function of its number, its venues and the code."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from chaos.plot import live
from chaos.scene import draw, venues
from chaos.story import Outcome, Story
from core.clock import run_virtual


def run_seed(seed: int, among: Sequence[str] | None = None) -> Outcome:
    """Lives through one seed on some of the venues `among` (default: all there are)."""
    log = logging.getLogger("trade-engine")
    before, log.disabled = log.disabled, True  # thousands of lines that the story tells better
    try:
        story = Story(draw(seed, tuple(among or venues())))
        run_virtual(live(story), story.house.loop)
        return story.outcome()
    finally:
        log.disabled = before
