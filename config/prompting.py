"""Questions to a person: one line each, secrets unseen, and nothing taken that was not meant for the question.

An answer is one line of printable text, at most `MAX_ANSWER` characters. What is pasted with line ends in it is refused
as a whole, because its second line would answer the next question, unseen where that asks for a secret.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import termios
import unicodedata
from collections.abc import Callable, Iterator
from typing import Protocol, TextIO, TypeVar

MAX_ANSWER = 2048
PASTE_S = 0.02
"""How long after a line more of the same paste may come."""
READ_BYTES = 64 * 1024

Found = TypeVar("Found")


class Ended(Exception):
    """The input ended (Ctrl-D, or a pipe ran dry) before the questions did."""


class Person(Protocol):
    """Somebody to ask and to tell."""

    def say(self, text: str = "") -> None:
        """Shows a line."""

    def ask(self, prompt: str, *, hidden: bool = False) -> str:
        """The answer, without blanks around it; '' for Enter alone. Raises Ended, KeyboardInterrupt."""


class Terminal:
    """The person at standard input and output; a pipe instead of a keyboard answers line by line."""

    def __init__(self, keyboard: int = 0, out: TextIO | None = None) -> None:
        self._keyboard = keyboard
        self._out = out or sys.stdout
        self._is_terminal = os.isatty(keyboard)
        self._rest = b""

    def say(self, text: str = "") -> None:
        self._out.write(f"{text}\n")
        self._out.flush()

    def ask(self, prompt: str, *, hidden: bool = False) -> str:
        while True:
            data, more = self._typed(prompt, hidden) if self._is_terminal else self._piped(prompt)
            trouble = "More than one line came in at once, and none of it was taken. Give one line." if more else ""
            text, trouble = ("", trouble) if trouble else _one_line(data)
            if not trouble:
                return text
            self.say(f"  {trouble}")

    def _put(self, text: str) -> None:
        self._out.write(text)
        self._out.flush()

    # --- a keyboard ---------------------------------------------------------------------------------------------------

    def _typed(self, prompt: str, hidden: bool) -> tuple[bytes, bool]:
        """A line, and whether a paste brought more than it. What was typed ahead of the question is no paste."""
        with self._unseen() if hidden else contextlib.nullcontext():
            ahead = self._waiting(0)
            self._put(prompt)
            try:
                data = self._keyed_line()
            finally:
                if hidden:
                    with contextlib.suppress(OSError):
                        self._put("\n")
            more = not ahead and self._waiting(PASTE_S)
            if more:
                termios.tcflush(self._keyboard, termios.TCIFLUSH)
        return data, more

    def _keyed_line(self) -> bytes:
        data = b""
        while not data.endswith(b"\n"):
            # A terminal hands over one line a time, or what stands before Ctrl-D; nothing before it is the end.
            try:
                chunk = os.read(self._keyboard, READ_BYTES)
            except OSError:
                raise Ended from None  # the terminal is gone
            if not chunk:
                raise Ended
            data = (data + chunk)[-READ_BYTES:]
        return data

    def _waiting(self, for_s: float) -> bool:
        return bool(select.select([self._keyboard], [], [], for_s)[0])

    @contextlib.contextmanager
    def _unseen(self) -> Iterator[None]:
        before = termios.tcgetattr(self._keyboard)
        quiet = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
        termios.tcsetattr(self._keyboard, termios.TCSADRAIN, quiet)
        try:
            yield
        finally:
            with contextlib.suppress(termios.error):  # a terminal that is gone has no echo to come back
                termios.tcsetattr(self._keyboard, termios.TCSADRAIN, before)

    # --- a pipe -------------------------------------------------------------------------------------------------------

    def _piped(self, prompt: str) -> tuple[bytes, bool]:
        self._put(prompt)
        try:
            while b"\n" not in self._rest:
                chunk = os.read(self._keyboard, READ_BYTES)
                if not chunk and not self._rest:
                    raise Ended
                self._rest += chunk or b"\n"
                if len(self._rest) > READ_BYTES and b"\n" not in self._rest:
                    self._rest = self._rest[:READ_BYTES]  # too long for an answer in any case
        finally:
            self._put("\n")
        line, _, self._rest = self._rest.partition(b"\n")
        return line, False


def _one_line(data: bytes) -> tuple[str, str]:
    """The answer in a line of bytes, or what is wrong with it. Never shows more of it than the character at fault."""
    if len(data) > 4 * MAX_ANSWER:
        return "", f"That is too long (more than {MAX_ANSWER} characters); nothing was taken."
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        return "", "That is not UTF-8 text; nothing was taken. Type it, or set the terminal to UTF-8."
    if len(text) > MAX_ANSWER:
        return "", f"That is too long ({len(text)} characters, at most {MAX_ANSWER}); nothing was taken."
    for place, character in enumerate(text, start=1):
        if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
            words = f"has an invisible character (U+{ord(character):04X}) at place {place}"
            return "", f"That {words}; nothing was taken. Type it, or copy it without formatting."
    return text, ""


# --- kinds of question ------------------------------------------------------------------------------------------------


def ask_until(person: Person, prompt: str, read: Callable[[str], Found], *, hidden: bool = False) -> Found:
    """Asks until `read` takes the answer; it raises ValueError with what is wrong, which is told."""
    while True:
        try:
            return read(person.ask(prompt, hidden=hidden))
        except ValueError as error:
            person.say(f"  {sentence(str(error))}")


def choose(person: Person, prompt: str, letters: str, default: str) -> str:
    """One of `letters`, in either case; Enter is `default`."""

    def read(answer: str) -> str:
        found = answer.lower() or default
        if len(found) != 1 or found not in letters:
            raise ValueError(f"type one of {', '.join(letters)}; Enter alone is {default}")
        return found

    return ask_until(person, prompt, read)


def sentence(text: str) -> str:
    """Words of an error as a line of its own."""
    shown = text[:1].upper() + text[1:]
    return shown if shown.endswith((".", "?", "!")) else f"{shown}."
