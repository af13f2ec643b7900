"""What adapters remember is bounded, and the newest stays."""

from __future__ import annotations

from collections import OrderedDict

from account_processors.remembering import REMEMBERED, remember


def test_the_newest_stay() -> None:
    memory: OrderedDict[str, int] = OrderedDict()
    for number in range(5):
        remember(memory, str(number), number, 3)
    assert list(memory.items()) == [("2", 2), ("3", 3), ("4", 4)]


def test_what_is_learnt_anew_takes_no_second_place() -> None:
    memory: OrderedDict[str, int] = OrderedDict()
    for number in range(3):
        remember(memory, str(number), number, 3)
    remember(memory, "0", 7, 3)
    assert list(memory.items()) == [("0", 7), ("1", 1), ("2", 2)]


def test_without_a_word_no_more_than_one_read_can_bring() -> None:
    memory: OrderedDict[int, None] = OrderedDict()
    for number in range(REMEMBERED + 2):
        remember(memory, number, None)
    assert (len(memory), next(iter(memory))) == (REMEMBERED, 2)
