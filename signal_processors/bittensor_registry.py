"""The metagraph as the processor knows it: asked now and then of a process beside it, kept over restarts, or off.

Without it everything else works: no hotkey is dropped and no incentive counts. What was learnt stays in use for a day.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import NoReturn

from config.home import CHECKOUT
from core.errors import ConfigError
from core.ports import Clock, FileOps
from core.state import ensure_dir, fields, format_instant, loads, write_atomic
from core.state.jsonfile import encode

SCHEMA = 1
EVERY_S = 1800.0
AGAIN_S = 300.0
LIMIT_S = 120.0
MAX_AGE_S = 86_400.0
MAX_ANSWER_BYTES = 4 * 1024 * 1024
COMMON = Decimal("0.5")
"""A metagraph that knows less than this share of the feed's traders is another subnet's, or broken."""

log = logging.getLogger("bittensor-signals")

Ask = Callable[[], Awaitable[bytes]]


class NoMetagraph(Exception):
    """It could not be had; the text says why."""


@dataclass(frozen=True, slots=True)
class Registered:
    """Incentive by registered hotkey, as of an instant (epoch seconds)."""

    incentives: Mapping[str, Decimal]
    at: float

    def among(self, hotkeys: Collection[str]) -> str:
        """Why this cannot be the metagraph of the network these belong to; '' if it can."""
        known = sum(hotkey in self.incentives for hotkey in hotkeys)
        if known < COMMON * len(hotkeys):
            return f"it knows {known} of the {len(hotkeys)} traders of the feed"
        return ""


async def ask_chain() -> bytes:
    """Runs the program that asks. Raises NoMetagraph."""
    command = (sys.executable, "-P", "-m", "signal_processors.bittensor_metagraph")
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=CHECKOUT, stdin=asyncio.subprocess.DEVNULL, stdout=pipe, stderr=pipe, limit=MAX_ANSWER_BYTES
        )
    except OSError as error:
        raise NoMetagraph(f"the program that asks could not be started: {error.strerror or error}") from None
    try:
        async with asyncio.timeout(LIMIT_S):
            answer, said = await process.communicate()
    except TimeoutError:
        raise NoMetagraph(f"the chain did not answer within {LIMIT_S:g} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        lines = said.decode(errors="replace").strip().splitlines()
        raise NoMetagraph(f"the bittensor package could not say it: {lines[-1][:200] if lines else 'no reason given'}")
    return answer


class Registry:
    """Keeps `registered` up to date while `run` runs."""

    def __init__(self, path: Path, ops: FileOps, clock: Clock, ask: Ask = ask_chain) -> None:
        self._path = path
        self._ops = ops
        self._clock = clock
        self._ask = ask
        self._held: Registered | None = None
        self._why = "not asked yet"

    def load(self) -> None:
        """Takes what an earlier run learnt. A file that cannot be used is as good as none."""
        try:
            found = fields.mapping(loads(self._ops.read(self._path), self._path.name), self._path.name)
            at = fields.instant(fields.required(found, "at", ""), "at")
            self._held = Registered(_incentives(found), at)
        except FileNotFoundError:
            return
        except (ConfigError, OSError) as error:
            self._why = f"what was kept of it cannot be used: {error}"

    def registered(self, hotkeys: Collection[str]) -> tuple[Registered | None, str]:
        """The metagraph for a feed with these traders and a line about it; None: off."""
        held = self._held
        if held is None:
            return None, f"metagraph: off ({self._why})"
        if not 0 <= self._clock.time() - held.at <= MAX_AGE_S:
            return None, f"metagraph: off (it is of {format_instant(held.at)}; since then: {self._why})"
        if why := held.among(hotkeys):
            return None, f"metagraph: off ({why})"
        return held, f"metagraph: {len(held.incentives)} registered as of {format_instant(held.at)}"

    async def refresh(self) -> bool:
        """Asks once; whether that worked. What was learnt is kept."""
        try:
            found = fields.mapping(loads(await self._ask(), "metagraph"), "metagraph")
            held = Registered(_incentives(found), self._clock.time())
            self._held, self._why = held, "asked, and in use"
            self._save(held)
        except (NoMetagraph, ConfigError) as error:
            self._why = str(error)
            return False
        except OSError as error:
            log.warning("The metagraph is in use but could not be kept: %s.", error)
        return True

    def _save(self, held: Registered) -> None:
        incentives = dict(held.incentives)
        ensure_dir(self._ops, self._path.parent)
        found = {"schema": SCHEMA, "at": format_instant(held.at), "hotkeys": incentives}
        write_atomic(self._ops, self._path, encode(found) + b"\n")

    async def run(self, wanted: Callable[[], bool]) -> NoReturn:
        """Asks for ever, while it is `wanted`."""
        while True:
            worked = await self.refresh() if wanted() else False
            await asyncio.sleep(EVERY_S if worked else AGAIN_S)


def _incentives(found: Mapping[str, object]) -> Mapping[str, Decimal]:
    hotkeys = fields.mapping(fields.required(found, "hotkeys", ""), "hotkeys")
    if not hotkeys:
        raise ConfigError("hotkeys", "names nobody")
    incentives = {}
    for hotkey, incentive in hotkeys.items():
        exact = Decimal(incentive) if isinstance(incentive, int) else incentive
        if not isinstance(exact, Decimal) or exact < 0:
            raise ConfigError(f"hotkeys.{hotkey[:64]}", "must be a number from 0 on")
        incentives[hotkey] = exact
    return incentives
