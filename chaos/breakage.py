"""What breaks by itself: power, processes, disks, clocks, networks, journals."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Awaitable, Callable, Mapping

from chaos.people import some_seat, some_symbol, soon
from chaos.story import Story
from simulator.disk import Fault

Happening = Callable[[Story], Awaitable[None]]
DISK_OPERATIONS = ("append", "append", "fsync", "fsync", "replace", "write", "fsync_dir", "truncate", "remove")
STARTS_S = (1.5, 1.5, 3.0, 8.0, 30.0)
"""How long a new process takes until its first request; imports alone take more than a second."""
TOUCHES = 80
TURNS = 40


async def power_cut(story: Story) -> None:
    """Everything ends at one touch of the outside, or between two awaits; what was not synced is lost or torn."""
    await die(story)
    torn = story.chance.random() < 0.5
    story.house.disk.crash(torn=torn)
    story.happened("power_cut", f"the power failed{', leaving files torn' if torn else ''}")
    await back(story)


async def kill(story: Story) -> None:
    """The process ends, the machine does not: everything written stays."""
    await die(story)
    story.happened("kill", "the process was killed")
    await back(story)


async def restart(story: Story) -> None:
    if story.engine is not None:
        await story.engine.stop()
        story.engine = None
    story.happened("restart", "the engine was stopped in good order")
    await back(story)


async def die(story: Story) -> None:
    engine, chance = story.engine, story.chance
    assert engine is not None
    if chance.random() < 0.6:
        engine.power.off_at(chance.randint(0, TOUCHES))
        await asyncio.sleep(chance.choice((1.0, 6.0)))
    else:
        await asyncio.sleep(chance.random() * 2)
        for _ in range(chance.randint(0, TURNS)):
            await asyncio.sleep(0)
    engine.power.off()
    await engine.end()
    story.engine = None


async def back(story: Story) -> None:
    await asyncio.sleep(story.chance.choice(STARTS_S))
    story.boot()


async def second_engine(story: Story) -> None:
    """Another one on the same home; it is to do nothing until the first is gone. Sometimes it then takes over."""
    story.happened("second_engine", "a second engine is started")
    second = story.house.begin("second-engine")
    second.start()
    await asyncio.sleep(story.chance.choice((2.0, 8.0)))
    story.some_signal()
    await asyncio.sleep(story.chance.choice((2.0, 10.0)))
    if story.chance.random() < 0.5:
        await die(story)
        story.engine = second
    else:
        second.power.off()
        await second.end()


async def disk_fault(story: Story) -> None:
    """Some operations fail, a few times or until the disk is mended."""
    chance, disk = story.chance, story.house.disk
    fault = Fault(
        error=chance.choice((errno.ENOSPC, errno.EIO, errno.EMFILE)),
        operation=chance.choice(DISK_OPERATIONS),
        path_part=chance.choice(("", "journal", "journal")),
        after=chance.randint(0, 5),
        times=chance.choice((1, 1, 2, 5, 0)),
        partial=chance.random() < 0.5,
    )
    disk.fail(fault)
    story.disturbed()

    def mend() -> None:
        if fault in disk.faults:
            disk.faults.remove(fault)

    what = f"{fault.operation} fails with {errno.errorcode[fault.error]} on {fault.path_part or 'anything'}"
    story.happened("disk", f"the disk: {what}, {fault.times or 'all'} times after {fault.after}")
    story.later(soon(story), f"the disk is mended ({what})", mend)


async def unreadable(story: Story) -> None:
    """Documents cannot be read for a while."""
    fault = Fault(errno.EIO, "read", "/signals/", times=story.chance.choice((1, 3, 20)))
    story.house.disk.fail(fault)
    story.disturbed()
    story.doubt_voices()
    story.happened("disk", "the disk: documents cannot be read")

    def mend() -> None:
        if fault in story.house.disk.faults:
            story.house.disk.faults.remove(fault)
        story.speak_again()

    story.later(soon(story), "documents can be read again", mend)


async def local_clock(story: Story) -> None:
    """This machine's clock steps, and NTP puts it right later."""
    by_s = story.chance.choice((-30.0, -2.0, -0.3, 0.3, 2.0, 30.0))
    story.house.local.wrong_by_s += by_s
    story.doubt_voices()
    story.happened("clock_step", f"this machine's clock steps by {by_s:g} s")
    story.later(soon(story), "this machine's clock is right again", story.right_clock)


async def venue_clock(story: Story) -> None:
    venue = story.chance.choice(list(story.scene.accounts))
    offset_ms = story.chance.choice((-60_000, -2_000, -300, 300, 2_000, 60_000))
    story.house.sim.admin.clock({"venue": venue, "offset_ms": offset_ms})
    story.happened("clock_offset", f"{venue}'s clock is {offset_ms} ms off", venue)
    right = {"venue": venue, "offset_ms": 0}
    story.later(soon(story), f"{venue}'s clock is right", lambda: story.house.sim.admin.clock(right))


async def unreachable(story: Story) -> None:
    venue, transport = story.chance.choice(list(story.scene.accounts)), story.house.sim.transport
    transport.set_reachable(venue, False)
    story.happened("unreachable", f"{venue} refuses connections", venue)
    story.later(soon(story), f"{venue} can be reached", lambda: transport.set_reachable(venue, True))


async def journal_lost(story: Story) -> None:
    """Deleted while the engine runs; or while it is stopped, which tells nobody."""
    seat = some_seat(story)
    if not story.house.files.remove(story.house.journal(seat.account)):
        return
    story.doubt(*story.places(account=seat.account))
    story.happened("journal_lost", f"the journal of {seat.account} was deleted", seat.venue)
    if story.chance.random() < 0.3:
        await restart(story)


async def journal_damaged(story: Story) -> None:
    """A byte of it turns, and the engine has to read it again. A person then moves it away."""
    seat = some_seat(story)
    path = story.house.journal(seat.account)
    whole = story.house.files.read(path)
    if not whole:
        return
    await kill_for(story, path.name)
    whole = story.house.files.read(path) or whole
    where = story.chance.randrange(len(whole))
    story.house.files.put(path, whole[:where] + bytes([whole[where] ^ 1]) + whole[where + 1 :])
    story.doubt(*story.places(account=seat.account))
    story.happened("journal_damaged", f"byte {where} of {path.name} has turned", seat.venue)

    def moved() -> None:
        story.house.files.remove(path)

    story.later(soon(story), f"{path.name} is moved away", moved)
    story.boot()


async def kill_for(story: Story, what: str) -> None:
    assert story.engine is not None
    story.tell(f"the process is killed before {what} is damaged")
    story.engine.power.off()
    await story.engine.end()
    story.engine = None


async def not_tradable(story: Story) -> None:
    venue, symbol = story.chance.choice(list(story.scene.accounts)), some_symbol(story)
    story.house.sim.admin.instrument({"venue": venue, "symbol": symbol, "tradable": False})
    story.unlisted.update(key for key in story.places(symbol=symbol) if key[0].startswith(f"{venue}-"))
    story.happened("not_tradable", f"{venue} does not trade {symbol} now", venue)
    again = {"venue": venue, "symbol": symbol, "tradable": True}
    story.later(soon(story), f"{venue} trades {symbol}", lambda: story.house.sim.admin.instrument(again))


MENU: Mapping[Happening, int] = {
    power_cut: 6,
    kill: 3,
    restart: 2,
    second_engine: 2,
    disk_fault: 5,
    unreadable: 2,
    local_clock: 2,
    venue_clock: 2,
    unreachable: 3,
    journal_lost: 2,
    journal_damaged: 1,
    not_tradable: 1,
}
