"""A private copy of the tree, in which a bug may stand for the moment of a test. The checkout is never touched."""

from __future__ import annotations

import contextlib
import os
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

LEFT_OUT = ("__pycache__", ".hypothesis", ".pytest_cache", "*.pyc")


def copy_of(checkout: Path, to: Path) -> Tree:
    """Copies what the tests need: our packages and modules as they stand now, `tests`, and what configures them.

    Nothing else, so that no home, secret or environment that may lie in a checkout is in the copy.
    """
    whole = tomllib.loads((checkout / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]
    packages = [pattern.rstrip("*") for pattern in whole["packages"]["find"]["include"]]
    to.mkdir(parents=True)
    for name in [*packages, "tests"]:
        if (checkout / name).is_dir():
            shutil.copytree(checkout / name, to / name, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for name in ["pyproject.toml", *(f"{module}.py" for module in whole["py-modules"])]:
        shutil.copy2(checkout / name, to / name)
    return Tree(to)


class Tree:
    """One copy. Whatever is written into it gets a time of its own, so that no compiled module is taken for it that
    was made of another version."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._changes = 0

    def read(self, path: str) -> str:
        return (self.root / path).read_text("utf-8")

    @contextlib.contextmanager
    def changed(self, sources: Mapping[str, str]) -> Iterator[None]:
        """Inside, the files at these paths have this content."""
        kept = {path: ((self.root / path).read_bytes(), (self.root / path).stat()) for path in sources}
        self._changes += 1
        try:
            for path, source in sources.items():
                (self.root / path).write_text(source, "utf-8")
                at_s = kept[path][1].st_mtime + self._changes
                os.utime(self.root / path, (at_s, at_s))
            yield
        finally:
            for path, (content, found) in kept.items():
                (self.root / path).write_bytes(content)
                os.utime(self.root / path, ns=(found.st_atime_ns, found.st_mtime_ns))
