"""Recorded payloads beside the simulated venues' answers and through our codecs; see `shapes`."""

from __future__ import annotations

import json

import pytest

from account_processors.codecs.wire import loads
from tests.contract.coverage.report import PAGE, page, present, shapes
from tests.contract.coverage.shapes import RECORDED, Shapes, differences, exchanges, recorded

ALL = shapes()
ANSWERS = [(one, name) for one in ALL for name in one.answers]
READS = [(one, name) for one in ALL for name in one.reads]


def venue(value: object) -> str:
    return value.venue if isinstance(value, Shapes) else str(value)


def there(one: Shapes) -> None:
    if not present(one):
        pytest.skip(f"no recorded payloads at {RECORDED}: they are not part of the project")


@pytest.mark.parametrize(("one", "name"), ANSWERS, ids=venue)
def test_an_answer_differs_from_the_recorded_one_only_where_it_is_said(one: Shapes, name: str) -> None:
    there(one)
    exchange = recorded(one, name)
    assert one.served(exchange.method, exchange.path)
    found = differences(one.answers[name](), exchange.answer, one.opaque)
    said = {
        "less": one.less.get(name, set()),
        "more": one.more.get(name, set()),
        "otherwise": one.otherwise.get(name, set()),
    }
    assert [each for each in found if each.name not in said[each.how]] == []
    for how, names in said.items():
        assert names <= {each.name for each in found if each.how == how}, f"{how}: no longer so, drop it from the table"


@pytest.mark.parametrize("one", ALL, ids=venue)
def test_every_recorded_endpoint_that_is_served_is_compared(one: Shapes) -> None:
    there(one)
    served = {exchange.name for exchange in exchanges(one) if one.served(exchange.method, exchange.path)}
    assert served == {*one.answers, *one.aside}
    assert not set(one.answers) & set(one.aside)
    assert set(one.reads) <= set(one.answers)


@pytest.mark.parametrize(("one", "name"), READS, ids=venue)
def test_our_codec_takes_the_recorded_answer_and_the_simulated_one(one: Shapes, name: str) -> None:
    simulated = one.reads[name](loads(json.dumps(one.answers[name]()).encode()))
    there(one)
    real = one.reads[name](recorded(one, name).row())
    assert type(real) is type(simulated)


def test_the_page_is_current() -> None:
    for one in ALL:
        there(one)
    assert PAGE.read_text() == page(), "run python -m tests.contract.coverage --write"


CASES = [
    ({"a": "1"}, {"a": "1"}, []),
    ({"a": 1}, {"a": "1"}, ["otherwise .a"]),
    ({"a": None}, {"a": "1"}, ["otherwise .a"]),
    ({}, {"a": "1"}, ["less .a"]),
    ({"a": "1", "b": 2}, {"a": "1"}, ["more .b"]),
    ({"a": [{"b": 1}]}, {"a": []}, []),
    ({"a": []}, {"a": [{"b": 1}]}, ["less .a[]", "less .a[].b"]),
    ({"a": [{"b": 1}, {"c": "1"}]}, {"a": [{"b": 1, "c": "1"}]}, []),
    ({"a": True}, {"a": 1}, ["otherwise .a"]),
]


@pytest.mark.parametrize(("ours", "theirs", "expected"), CASES)
def test_what_differs_is_found(ours: object, theirs: object, expected: list[str]) -> None:
    assert [f"{one.how} {one.place}" for one in differences(ours, theirs)] == expected
