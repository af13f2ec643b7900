"""./run chaos --mutants: deliberate bugs, each of which the tests must notice.

    ./run chaos --mutants                                all of them
    ./run chaos --mutants --mutant journal-skips-fsync   one, or several
    ./run chaos --mutants --part 1/3                     a third of them

Each bug is a small patch in chaos/mutants/patches. It goes into a private copy of the tree, where the tests named in
the patch run; the checkout is not touched. The result is 0 only if every bug was caught.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from chaos.mutants.patching import BadPatch, Mutant
from chaos.mutants.trying import Tried, Unsound, Verdict, mutants, try_all
from config.home import CHECKOUT

WORKERS = 2
SWITCH = "--mutants"

Say = Callable[[str], None]


def arguments(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog=f"./run chaos {SWITCH}", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mutant", action="append", metavar="NAME", help="only this one; may be repeated")
    parser.add_argument("--part", type=part_of, default=(1, 1), metavar="K/N", help="every N-th of them, from the K-th")
    parser.add_argument("--workers", type=int, default=WORKERS, metavar="W", help=f"processes (default {WORKERS})")
    parser.add_argument("--json", action="store_true", help="end with one JSON line and nothing else on stdout")
    args = parser.parse_args([one for one in argv if one != SWITCH])
    if args.workers < 1:
        parser.error("--workers must be at least 1")
    return args


def part_of(text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9][0-9]?)/([1-9][0-9]?)", text)
    if found is None or int(found[1]) > int(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is not K/N with K of 1 to N, such as 1/3")
    return int(found[1]), int(found[2])


def chosen(every: Sequence[Mutant], names: Sequence[str] | None, part: tuple[int, int]) -> list[Mutant]:
    """Those asked for. Raises `BadPatch` for a name that is none."""
    known = {mutant.name: mutant for mutant in every}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise BadPatch(f"{', '.join(unknown)}: there is no such mutant; known are {', '.join(known)}")
    picked = [known[name] for name in names] if names else list(every)
    number, of = part
    return picked[number - 1 :: of]


def row(tried: Sequence[Tried]) -> dict[str, object]:
    """What the JSON line says; `survivors` and `broken` with what is known of why."""
    by_name = sorted(tried, key=lambda one: one.mutant)
    caught = {one.mutant: one.by for one in by_name if one.verdict is Verdict.CAUGHT}
    return {
        "mutants": len(tried),
        "caught": len(caught),
        "survivors": [one.mutant for one in by_name if one.verdict is Verdict.SURVIVED],
        "broken": {one.mutant: one.by for one in by_name if one.verdict in (Verdict.BROKEN, Verdict.HUNG)},
        "caught_by": caught,
    }


def main(argv: Sequence[str], say: Say, tell: Say) -> int:
    """0: every mutant was caught; 1: not every one; 2: it could not be found out. `say` is for progress (stderr),
    `tell` for the result (stdout)."""
    args = arguments(argv)
    began_s = time.monotonic()
    tried: list[Tried] = []
    try:
        every = chosen(mutants(), args.mutant, args.part)
        with tempfile.TemporaryDirectory(prefix="trade-engine-mutants-", ignore_cleanup_errors=True) as scratch:
            for one in try_all(every, CHECKOUT, Path(scratch), args.workers, say):
                tried.append(one)
                say(f"mutants: {len(tried)} of {len(every)}: {said(one)}")
    except (BadPatch, Unsound) as error:
        say(f"mutants: {error}. No mutant was judged")
        return 2
    except KeyboardInterrupt:
        say("mutants: interrupted")
        return 130
    result = row(tried)
    say(f"mutants: {result['caught']} of {len(tried)} caught in {time.monotonic() - began_s:.0f} s")
    tell(json.dumps(result) if args.json else table(tried))
    return 0 if result["caught"] == len(tried) else 1


def said(one: Tried) -> str:
    """One line: what became of a mutant."""
    words = {
        Verdict.CAUGHT: f"caught by {one.by}",
        Verdict.SURVIVED: "SURVIVED: every test it names passed with the bug in place; write the one that does not",
        Verdict.HUNG: f"HUNG: {one.by}",
        Verdict.BROKEN: f"BROKEN: {one.by}",
    }
    return f"{one.mutant} ({one.took_s:.1f} s) {words[one.verdict]}"


def table(tried: Sequence[Tried]) -> str:
    return "\n".join(said(one) for one in sorted(tried, key=lambda one: (one.verdict is Verdict.CAUGHT, one.mutant)))
