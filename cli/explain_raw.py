"""One line of a raw log, found again by its place (`2026-11-20.jsonl:88`), also where the file was compressed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from signal_processors.tradingview_raw import MAX_LINE_BYTES, RAW_FILE, RAW_PLACE

ENDINGS = ("", ".gz", ".xz", ".bz2")
FOREIGN = (".zst", ".zip")
BROKEN = (OSError, EOFError, lzma.LZMAError, zlib.error)
"""What reading a damaged or vanished file raises."""


@dataclass(frozen=True, slots=True)
class RawLine:
    """Where a signal came from: the file that holds it now, and its line; `text` None: `because` says why."""

    path: Path
    number: int
    text: str | None
    because: str = ""


def opened(path: Path) -> BinaryIO:
    """The file for reading, decompressed by its ending; the caller closes it."""
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if path.suffix == ".xz":
        return cast(BinaryIO, lzma.open(path, "rb"))
    if path.suffix == ".bz2":
        return cast(BinaryIO, bz2.open(path, "rb"))
    if path.suffix in FOREIGN:
        raise OSError(f"{path.name} is compressed in a way this program does not read; unpack it")
    return path.open("rb")


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """Complete lines without their newline, numbered from 1, decompressed by the file's ending, one at a time.

    A line longer than any record comes cut. Raises one of `BROKEN`.
    """
    number = 0
    with opened(path) as file:
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            longer = not line.endswith(b"\n")
            if longer and len(line) <= MAX_LINE_BYTES:
                return  # the end of a file that is being written
            yield number, line.rstrip(b"\n")
            while longer and (rest := file.readline(MAX_LINE_BYTES + 1)):
                longer = not rest.endswith(b"\n")


def find_line(folder: Path, place: str) -> RawLine | None:
    """The line a signal names in `meta.raw`; None where that names no line."""
    found = RAW_PLACE.fullmatch(place)
    if found is None:
        return None
    name, number = found[1], int(found[2])
    path = next((folder / (name + end) for end in ENDINGS if (folder / (name + end)).exists()), None)
    if path is None:
        return RawLine(folder / name, number, None, "the file was put away; its newest alerts stand in newer ones")
    try:
        line = next((text for at, text in lines_of(path) if at == number), None)
    except BROKEN as error:
        return RawLine(path, number, None, f"it cannot be read: {error}")
    if line is None:
        return RawLine(path, number, None, "the file has no such line")
    return RawLine(path, number, line.decode("utf-8", "replace"))


def day_files(folder: Path) -> Iterator[Path]:
    """The daily files of a signal store, oldest first, compressed ones too; each day once, plain where it is both."""
    names = sorted(path.name for path in folder.glob("*.jsonl*"))
    days: dict[str, str] = {}
    for name in names:
        day = name[: len("2026-11-20.jsonl")]
        if RAW_FILE.fullmatch(day) and name[len(day) :] in (*ENDINGS, *FOREIGN):
            days.setdefault(day, name)  # sorted, the plain name comes before its compressed ones
    yield from (folder / name for name in days.values())
