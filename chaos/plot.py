"""How a seed goes: a faulty part drawn by chance; then everything is mended and must come right; then rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from chaos import breakage, people
from chaos.menu import request_fault, stream_fault, weighted
from chaos.story import DEPTHS, Story

FAULTY_S = 400.0
"""The faulty part ends after so long at the latest, however few cycles there were."""
MENDED_S = 200.0
"""How long what was asked may take once faults have stopped: the longest pauses between two tries, and five cycles."""
CALM_S = 75.0
"""Longer than any account waits before it looks again whether it may trade."""
ADOPTED_S = 15.0
ASKED_S = 90.0
STAYS_S = 10.0
LOOK_EVERY_S = 1.0
IDLE_CYCLES = 100
IDLE_EVERY_S = 2.0
IDLE_SEEDS = 20
"""Every so many seeds rest is watched."""
PAUSES_S = (0.0, 0.01, 0.3, 1.0, 3.0, 8.0, 20.0)


async def live(story: Story) -> None:
    """The whole seed."""
    story.arrange()
    helpers = [asyncio.ensure_future(work()) for work in (story.samples.run, story.beat)]
    story.boot()
    try:
        await _faulty(story)
        await _mended(story)
        await _asked_anew(story)
        if story.scene.seed % IDLE_SEEDS == 0:
            await _idle(story)
        story.checker.delivered_twice = {venue for venue, kinds in story.counts.rows().items() if "duplicate" in kinds}
        story.checker.finish()
    finally:
        for helper in helpers:
            helper.cancel()
        if story.engine is not None:
            story.engine.power.off()
            await story.engine.end()


async def _faulty(story: Story) -> None:
    house, chance = story.house, story.chance
    end_s = house.clock.monotonic() + FAULTY_S
    while max(house.cycles.values()) < story.scene.cycles and house.clock.monotonic() < end_s:
        story.undo()
        draw = chance.random()
        if draw < 0.40:
            story.some_signal()
        elif draw < 0.70:
            story.tell(request_fault(house, chance))
        elif draw < 0.80:
            story.tell(stream_fault(house, chance))
        elif draw < 0.91:
            weighted(chance, people.MENU)(story)
            story.note()
        else:
            await weighted(chance, breakage.MENU)(story)
        await asyncio.sleep(chance.choice(PAUSES_S))
        story.counts.collect(house)


async def _mended(story: Story) -> None:
    """Faults stop. Without a new signal everything must come to what was asked, but for what has a standing cause."""
    story.counts.collect(story.house)
    story.house.sim.admin.clear_faults()
    story.undo(everything=True)
    story.house.disk.faults.clear()
    story.write_all()
    story.speak_again()
    story.tell("every fault is mended")
    await asyncio.sleep(max(story.bans_end_s() - story.house.clock.monotonic(), 0.0))
    left_out = story.doubtful | story.unlisted
    await _until(story, lambda: story.checker.reached(left_out), MENDED_S, "without a new signal")
    if story.doubtful:
        await asyncio.sleep(CALM_S)
        for key in sorted(story.doubtful):
            story.adopt(key)
        story.tell("whatever is found is adopted")
        await asyncio.sleep(ADOPTED_S)
        if story.scene.leverage_change == "when_flat":
            await _flattened(story)


async def _flattened(story: Story) -> None:
    """Positions others opened may have a leverage of their own, which some venues change only while flat."""
    for source in story.scene.sources:
        for symbol in story.scene.symbols:
            story.say(source, symbol, "0")
    await asyncio.sleep(ADOPTED_S)


async def _asked_anew(story: Story) -> None:
    """Every source speaks on every symbol: nothing stands in the way any more."""
    for source in story.scene.sources:
        for symbol in story.scene.symbols:
            story.say(source, symbol, story.chance.choice(DEPTHS))
    story.checker.asked_at = story.house.clock.time()
    await _until(story, lambda: story.checker.reached(story.unlisted), ASKED_S, "after fresh signals")


async def _until(story: Story, missing: Callable[[], list[str]], within_s: float, when: str) -> None:
    """Waits until the ledger shows what was asked, and a little longer; breaches what does not come."""
    house = story.house
    began_s, before = house.clock.monotonic(), dict(house.cycles)
    left = missing()
    while left and house.clock.monotonic() < began_s + within_s:
        await asyncio.sleep(LOOK_EVERY_S)
        left = missing()
    took = max(house.cycles[account] - before[account] for account in before)
    story.checker.slowest = max(story.checker.slowest, took)
    for text in left:
        story.checker.breach("not converged", f"{within_s:g} s {when}: {text}")
    await asyncio.sleep(STAYS_S)
    for text in [] if left else missing():
        story.checker.breach("not converged", f"it did not stay, {when}: {text}")


async def _idle(story: Story) -> None:
    """With nothing new asked and nothing wrong, nothing is sent: however often the same is said again."""
    house = story.house
    sent, cycles = len(house.sent), min(house.cycles.values())
    for _ in range(2 * IDLE_CYCLES):
        story.publish(story.scene.sources[0])
        await asyncio.sleep(IDLE_EVERY_S)
        if min(house.cycles.values()) >= cycles + IDLE_CYCLES:
            break
    if len(house.sent) != sent:
        story.checker.breach("not idle", f"{len(house.sent) - sent} orders while nothing was asked")
