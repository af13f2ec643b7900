"""A person who gives prepared answers and remembers what was asked and told."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from config.prompting import Ended, Person
from tests.unit.config.house import House

Script = Callable[[Sequence[str] | None, Person | None], int]


class Scripted:
    """Gives `answers` one by one, then ends as Ctrl-D does, or raises `then`."""

    def __init__(self, *answers: str, then: type[BaseException] = Ended) -> None:
        self._answers = list(answers)
        self._then = then
        self.asked: list[str] = []
        self.hidden: list[str] = []
        self.said: list[str] = []

    def say(self, text: str = "") -> None:
        self.said.append(text)

    def ask(self, prompt: str, *, hidden: bool = False) -> str:
        self.asked.append(prompt)
        if hidden:
            self.hidden.append(prompt)
        if not self._answers:
            raise self._then
        return self._answers.pop(0)

    @property
    def left(self) -> int:
        return len(self._answers)

    @property
    def told(self) -> str:
        return "\n".join(self.said)


def run(script: Script, house: House, *words: str, person: Person | None = None) -> int:
    """Runs a script in the home; who is not expected to be asked gives no answer."""
    return script(["--home", str(house.home.root), *words], person or Scripted())


def content(path: Path) -> Any:
    return json.loads(path.read_text())
