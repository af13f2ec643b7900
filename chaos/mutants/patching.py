"""PURE: a deliberate bug as text, and a source with the bug in it.

    The record counts as durable though nothing was synced.

    Caught-by: tests/unit/journal/test_journal.py::test_synced_records_survive_a_crash_and_others_do_not_harm
    --- core/journal.py
    @@
     context
    -taken out
    +put in instead
     context

First what the bug is, in a sentence or two; then the tests that must catch it, smallest first; `Hang: counts` where a
test that never ends is how it is noticed; then the change. A hunk carries no line numbers: its lines, as they were,
stand exactly once in the source, wherever that is. Where they do not, the source has moved on: the patch is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

CAUGHT_BY, HANG, FILE, HUNK = "Caught-by:", "Hang: counts", "--- ", "@@"


class BadPatch(Exception):
    """A patch that is not one, or that no longer matches its source. The message names the mutant."""


@dataclass(frozen=True, slots=True)
class Hunk:
    """`before` is replaced by `after` in the file at `path` (from the root of the tree, forward slashes)."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """One deliberate bug. `tests`: node ids that must catch it; `hang_counts`: one that does not end has caught it."""

    name: str
    bug: str
    tests: tuple[str, ...]
    hunks: tuple[Hunk, ...]
    hang_counts: bool = False

    @property
    def paths(self) -> tuple[str, ...]:
        """The files it changes."""
        return tuple(dict.fromkeys(hunk.path for hunk in self.hunks))


def parse(name: str, text: str) -> Mutant:
    """The mutant in a patch. Raises `BadPatch`."""
    lines = text.splitlines()
    first = next((number for number, line in enumerate(lines) if line.startswith(FILE)), len(lines))
    head = lines[:first]
    tests = tuple(line.removeprefix(CAUGHT_BY).strip() for line in head if line.startswith(CAUGHT_BY))
    words = [line.strip() for line in head if line.strip() and not line.startswith((CAUGHT_BY, HANG))]
    hunks = tuple(_hunks(name, lines[first:]))
    if not (words and tests and hunks):
        raise BadPatch(f"{name}: a patch says what the bug is, which tests catch it ({CAUGHT_BY}), and what changes")
    if any("::" not in test for test in tests):
        raise BadPatch(f"{name}: {CAUGHT_BY} names tests, not whole files, so that a mutant costs as little as it can")
    return Mutant(name, " ".join(words), tests, hunks, HANG in head)


def _hunks(name: str, lines: Sequence[str]) -> Iterator[Hunk]:
    path, body = "", list[str]()
    for line in [*lines, HUNK]:
        if line.startswith((FILE, HUNK)):
            if body:
                yield _hunk(name, path, body)
            body = []
            path = line.removeprefix(FILE).strip() if line.startswith(FILE) else path
        elif line[:1] in (" ", "-", "+", ""):
            body.append(line or " ")
        else:
            raise BadPatch(f"{name}: {line!r} begins with neither a space nor - nor +")


def _hunk(name: str, path: str, body: Sequence[str]) -> Hunk:
    before = "".join(f"{line[1:]}\n" for line in body if line[0] != "+")
    after = "".join(f"{line[1:]}\n" for line in body if line[0] != "-")
    if not before.strip() or before == after:
        raise BadPatch(f"{name}: a hunk of {path} has nothing to find, or changes nothing")
    return Hunk(path, before, after)


def mutated(mutant: Mutant, read: Callable[[str], str]) -> Mapping[str, str]:
    """path -> the whole source with the bug in it. `read` gives a source. Raises `BadPatch`."""
    sources: dict[str, str] = {}
    for hunk in mutant.hunks:
        source = sources.get(hunk.path) or _read(mutant, hunk.path, read)
        found = f"\n{source}".count(f"\n{hunk.before}")
        if found != 1:
            first = hunk.before.strip().splitlines()[0].strip()
            raise BadPatch(
                f"{mutant.name}: the lines from {first!r} on stand {found} times in {hunk.path}, not once: the source "
                f"has moved on. Write the patch anew against it, so that it is the same bug again"
            )
        sources[hunk.path] = f"\n{source}".replace(f"\n{hunk.before}", f"\n{hunk.after}")[1:]
    return sources


def _read(mutant: Mutant, path: str, read: Callable[[str], str]) -> str:
    try:
        return read(path)
    except OSError as error:
        raise BadPatch(f"{mutant.name}: {path} cannot be read ({error.strerror or error})") from None
