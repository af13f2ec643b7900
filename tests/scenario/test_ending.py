"""An engine whose tasks are cancelled at any moment leaves nothing behind that waits, or that nobody waited for."""

from __future__ import annotations

import asyncio
import gc
import warnings

import pytest

from core.execution.reads import known
from tests.scenario.rig import BTC, Rig


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.5, 1.0, 1.01, 3.3])
def test_a_cancelled_engine_leaves_nobody_waiting(after_s: float) -> None:
    rig = Rig()

    async def scene() -> list[str]:
        rig.signal(BTC, "0.5")
        engine = asyncio.ensure_future(rig.executor.run(asyncio.Event()))
        await asyncio.sleep(after_s)
        engine.cancel()
        await asyncio.gather(engine, return_exceptions=True)
        await asyncio.sleep(20)
        left = [repr(task.get_coro()) for task in asyncio.all_tasks()]
        return [coroutine for coroutine in left if "Event.wait" in coroutine]

    assert rig.run(scene()) == []


def test_a_read_that_is_cancelled_before_it_began_is_not_one_nobody_awaited() -> None:
    async def read() -> int:
        return 1

    async def scene() -> None:
        task = asyncio.ensure_future(known(read))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert await known(read) == (1, "")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asyncio.run(scene())
        gc.collect()
