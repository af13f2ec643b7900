"""In every program a test starts: looks at what its adapters send, over sockets and in memory, and reports marks.

Python imports this by itself, from the PYTHONPATH the session sets. Nothing happens before a module with a transport is
imported.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

WATCHED = {
    "account_processors.transport": (("HttpTransport", "send"), ("HttpTransport", "connect"), ("_WebSocket", "send")),
    "simulator.memory": (("MemoryTransport", "send"), ("MemoryTransport", "connect")),
    "simulator.streams": (("MemoryStream", "send"),),
}
FRAMES = ("_WebSocket", "MemoryStream")
"""What sends texts; the others send requests."""
REPORT = os.environ.get("REQUEST_MARKS_REPORT", "")


def report(marks: list[str]) -> None:
    if marks:
        with Path(REPORT).open("a", encoding="utf-8") as file:
            file.write("".join(f"{one} (sent by {sys.argv[0]})\n" for one in marks))


def watch(module: ModuleType) -> None:
    from tests.marks import marks_in, telling

    def looking(kind: Any, name: str, look: Callable[[Any], list[str]]) -> None:
        send = getattr(kind, name)

        async def looked(self: object, message: Any, *more: Any) -> Any:
            report(look(message))
            return await send(self, message, *more)

        setattr(kind, name, looked)

    for kind, name in WATCHED[module.__name__]:
        looking(getattr(module, kind), name, marks_in if kind in FRAMES else telling)


class Finder(MetaPathFinder):
    """Finds these modules as anybody would, and watches each once it is there."""

    def find_spec(self, name: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if name not in WATCHED:
            return None
        spec = PathFinder.find_spec(name, path)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def executed(module: ModuleType) -> None:
                execute(module)
                watch(module)

            spec.loader.exec_module = executed  # type: ignore[method-assign]  # this one spec's loader, nobody else's
        return spec


if REPORT:
    sys.meta_path.insert(0, Finder())
