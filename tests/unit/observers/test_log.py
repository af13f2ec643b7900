"""Log lines: one sentence per kind of event, one line whatever it says, written without holding anybody up."""

from __future__ import annotations

import inspect
import io
import logging
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest

from core import events
from core.domain import SymbolState
from core.events import Event
from observers.log import LogObserver, QueuedHandler, start_logging
from observers.wording import level, one_line, sentence

from .examples import ACCOUNT, AT, BTC, EXAMPLES

DEADLINE_S = 20.0


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    """A logger of its own, put back afterwards."""
    found = logging.getLogger("trade-engine-test")
    found.propagate = False
    found.setLevel(logging.DEBUG)
    yield found
    for handler in list(found.handlers):
        found.removeHandler(handler)
        handler.close()


@pytest.mark.parametrize(("event", "text"), EXAMPLES, ids=[type(event).__name__ for event, _ in EXAMPLES])
def test_every_event_has_its_sentence(event: Event, text: str) -> None:
    assert sentence(event) == text


def test_no_kind_of_event_is_without_an_example() -> None:
    kinds = {kind for _, kind in inspect.getmembers(events, inspect.isclass) if issubclass(kind, Event)}
    assert {type(event) for event, _ in EXAMPLES} == kinds - {Event}


def test_a_kind_without_a_sentence_is_told_by_its_fields() -> None:
    @dataclass(frozen=True, slots=True)
    class Tripped(Event):
        limit: str
        value: Decimal
        state: SymbolState

    event = Tripped(AT, ACCOUNT, "daily_loss_pct", Decimal("1E+1"), SymbolState.HELD)
    assert sentence(event) == "bybit-main: Tripped limit=daily_loss_pct value=10 state=HELD"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("zero\u200bwidth\u2028line\ud800", "zero\\u200bwidth\\u2028line\\ud800"),
        ("ünïcode 中 €", "ünïcode 中 €"),
    ],
)
def test_a_text_from_outside_cannot_begin_a_line_of_its_own(text: str, line: str) -> None:
    assert one_line(text) == line
    assert sentence(events.Trouble(AT, ACCOUNT, None, text)) == f"bybit-main: trouble: {line}"


def test_levels() -> None:
    levels = {type(event).__name__: level(event) for event, _ in EXAMPLES}
    assert {name for name, at in levels.items() if at == logging.WARNING} == {"Trouble", "OrderUncertain", "DriftSeen"}
    assert {name for name, at in levels.items() if at == logging.DEBUG} == {"EquityRead"}
    assert level(events.CycleDone(AT, ACCOUNT, 7, 0.25, 0, True)) == logging.DEBUG


def test_lines_carry_the_events_instant(logger: logging.Logger) -> None:
    stream = io.StringIO()
    handler = QueuedHandler(stream)
    logger.addHandler(handler)
    observer = LogObserver(logger.name)
    observer.see(events.SymbolSettled(AT, ACCOUNT, BTC, SymbolState.CONVERGED, "as wanted"))
    observer.see(events.Trouble(AT + 1, ACCOUNT, None, "disk full"))
    handler.close()
    assert stream.getvalue().splitlines() == [
        "2026-11-20T09:12:44.123Z bybit-main BTCUSDT: CONVERGED: as wanted",
        "2026-11-20T09:12:45.123Z WARNING bybit-main: trouble: disk full",
    ]


def test_tracebacks_and_bad_calls_are_written_too(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    handler = QueuedHandler(stream)
    logger.addHandler(handler)
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        logger.exception("a cycle\nfailed")
    handler.handle(logging.makeLogRecord({"msg": "%d", "args": ("no number",)}))
    logger.info("still here")
    handler.close()
    text = stream.getvalue()
    assert "ERROR a cycle\\nfailed\nTraceback (most recent call last):" in text
    assert text.endswith("still here\n")
    assert "no number" in capsys.readouterr().err


def test_a_reader_that_sleeps_costs_lines_and_holds_nobody_up(logger: logging.Logger) -> None:
    reads, writes = os.pipe()
    with os.fdopen(writes, "w") as stream, os.fdopen(reads) as reader:
        handler = QueuedHandler(stream, capacity=50)
        logger.addHandler(handler)
        for n in range(20_000):  # far more than the pipe holds; a blocking handler would never come to the end
            logger.info("line %d", n)
        lines: list[str] = []
        over = threading.Event()

        def read() -> None:
            for line in reader:
                lines.append(line)
                if line.endswith("the end\n"):
                    over.set()
                    return

        threading.Thread(target=read, daemon=True).start()
        while not over.is_set():
            logger.info("the end")
            over.wait(0.01)
        handler.close()
    missing = sum(int(line[1:].split()[0]) for line in lines if line.startswith("("))
    written = sum(" line " in line for line in lines)
    assert written < 20_000
    assert missing >= 20_000 - written
    assert "lines are missing here" in "".join(lines)


def test_nobody_reads_any_more(logger: logging.Logger) -> None:
    reads, writes = os.pipe()
    stream = os.fdopen(writes, "w")
    handler = QueuedHandler(stream)
    logger.addHandler(handler)
    os.close(reads)
    for n in range(100):
        logger.info("line %d", n)
    handler.close()
    with pytest.raises(BrokenPipeError):
        stream.close()


def test_start_logging_takes_over_every_logger(tmp_path: Path) -> None:
    root = logging.getLogger()
    before = (root.handlers[:], root.level)
    root.handlers[:] = []
    try:
        with (tmp_path / "log").open("w", encoding="ascii") as stream:
            handler = start_logging(stream=stream)
            logging.getLogger("anything").info("hellö")
            logging.getLogger("anything").debug("not shown")
            handler.close()
    finally:
        root.handlers[:], _ = before
        root.setLevel(before[1])
    text = (tmp_path / "log").read_text()
    assert text.endswith("Z hell\\xf6\n")
    assert text.count("\n") == 1
