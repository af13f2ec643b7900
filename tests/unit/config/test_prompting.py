"""Questions at a real terminal (a pseudo one) and at a pipe: one line each, secrets unseen, pastes refused."""

from __future__ import annotations

import io
import os
import termios
import threading
from collections.abc import Callable, Iterator

import pytest

from config.prompting import MAX_ANSWER, Ended, Terminal, choose
from tests.unit.config.person import Scripted


class Keyboard:
    """The far end of a terminal: types, and sees what is on the screen."""

    def __init__(self) -> None:
        self.far, self.near = os.openpty()
        self.screen = io.StringIO()
        self.terminal = Terminal(self.near, self.screen)

    def type(self, text: bytes) -> None:
        os.write(self.far, text)

    def echoed(self) -> bytes:
        os.set_blocking(self.far, False)
        try:
            return os.read(self.far, 65536)
        except BlockingIOError:
            return b""

    def echoes(self) -> bool:
        return bool(termios.tcgetattr(self.near)[3] & termios.ECHO)

    def close(self) -> None:
        os.close(self.far)
        os.close(self.near)


@pytest.fixture
def keyboard() -> Iterator[Keyboard]:
    found = Keyboard()
    yield found
    found.close()


class AtPrompt(io.StringIO):
    """A screen that does something whenever a prompt has been shown `count` times."""

    def __init__(self, act: Callable[[int], None]) -> None:
        super().__init__()
        self._act = act
        self._count = 0

    def write(self, text: str) -> int:
        written = super().write(text)
        if text.endswith("? "):
            self._count += 1
            self._act(self._count)
        return written


def answering(keyboard: Keyboard, *typed: bytes) -> Terminal:
    """A terminal whose keyboard types each of these once the prompt stands there."""
    keyboard.screen = AtPrompt(lambda count: keyboard.type(typed[count - 1]))
    keyboard.terminal = Terminal(keyboard.near, keyboard.screen)
    return keyboard.terminal


def test_an_answer_without_the_blanks_around_it(keyboard: Keyboard) -> None:
    assert answering(keyboard, b"  BTCUSDT \n").ask("Which? ") == "BTCUSDT"
    assert b"BTCUSDT" in keyboard.echoed()


def test_a_secret_is_not_echoed_and_the_echo_comes_back(keyboard: Keyboard) -> None:
    assert answering(keyboard, b"canary\n").ask("Which? ", hidden=True) == "canary"
    assert b"canary" not in keyboard.echoed()
    assert "canary" not in keyboard.screen.getvalue()
    assert keyboard.echoes()


def test_the_echo_comes_back_after_an_interruption(keyboard: Keyboard) -> None:
    def interrupt(count: int) -> None:
        assert not keyboard.echoes()
        raise KeyboardInterrupt

    terminal = Terminal(keyboard.near, AtPrompt(interrupt))
    with pytest.raises(KeyboardInterrupt):
        terminal.ask("Which? ", hidden=True)
    assert keyboard.echoes()


@pytest.mark.parametrize("hidden", [False, True])
def test_a_paste_with_a_line_end_answers_nothing(keyboard: Keyboard, hidden: bool) -> None:
    terminal = answering(keyboard, b"key\nsecret\nmore\n", b"key\n")
    assert terminal.ask("Which? ", hidden=hidden) == "key"
    assert "none of it was taken" in keyboard.screen.getvalue()
    assert keyboard.screen.getvalue().count("Which? ") == 2


def test_what_is_typed_ahead_of_a_question_is_no_paste(keyboard: Keyboard) -> None:
    keyboard.type(b"one\ntwo\n")
    assert [keyboard.terminal.ask("First? "), keyboard.terminal.ask("Second? ")] == ["one", "two"]


@pytest.mark.parametrize("typed", [b"\x04", b"\x04\x04"])
def test_ctrl_d_ends(keyboard: Keyboard, typed: bytes) -> None:
    terminal = answering(keyboard, typed)
    with pytest.raises(Ended):
        terminal.ask("Which? ")


def test_a_terminal_that_is_gone_ends(keyboard: Keyboard) -> None:
    def hang_up(count: int) -> None:
        os.close(keyboard.far)
        keyboard.far = os.open(os.devnull, os.O_RDWR)

    with pytest.raises(Ended):
        Terminal(keyboard.near, AtPrompt(hang_up)).ask("Which? ", hidden=True)


def test_a_line_longer_than_a_terminal_takes_is_refused(keyboard: Keyboard) -> None:
    keyboard_types = threading.Thread(target=lambda: keyboard.type(b"x" * 9000 + b"\nfine\n"))
    terminal = Terminal(
        keyboard.near, AtPrompt(lambda count: keyboard_types.start() if count == 1 else keyboard.type(b"ok\n"))
    )
    assert terminal.ask("Which? ", hidden=True) == "ok"
    keyboard_types.join()


# --- a pipe -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def piped() -> Iterator[Callable[[bytes], Terminal]]:
    opened: list[int] = []

    def of(data: bytes) -> Terminal:
        near, far = os.pipe()
        opened.append(near)

        def feed() -> None:
            with os.fdopen(far, "wb") as end:
                end.write(data)

        threading.Thread(target=feed).start()
        return Terminal(near, io.StringIO())

    yield of
    for descriptor in opened:
        os.close(descriptor)


Piped = Callable[[bytes], Terminal]


def test_a_pipe_answers_line_by_line_and_ends(piped: Piped) -> None:
    terminal = piped(b"one\n\nlast")
    assert [terminal.ask("? ") for _ in range(3)] == ["one", "", "last"]
    with pytest.raises(Ended):
        terminal.ask("? ")


@pytest.mark.parametrize(
    "line",
    [
        b"x" * (MAX_ANSWER + 1),
        b"x" * 500_000,
        b"\xff\xfe",
        "ke\u200by".encode(),
        "ke\u202ey".encode(),
        b"a\x00b",
        b"a\x1b[31mb",
        b"\xef\xbb\xbfkey",
    ],
)
def test_a_line_that_is_no_answer_is_asked_for_again(piped: Piped, line: bytes) -> None:
    terminal = piped(line + b"\nfine\n")
    assert terminal.ask("? ") == "fine"


def test_ordinary_unicode_is_text(piped: Piped) -> None:
    assert piped("zwölf 十 \n".encode()).ask("? ") == "zwölf 十"


def test_choices() -> None:
    person = Scripted("", "K", "km", "x", "m")
    assert [choose(person, "? ", "kmn", "k") for _ in range(3)] == ["k", "k", "m"]
    assert len(person.said) == 2
