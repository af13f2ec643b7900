"""Strict JSON: what is refused and how it is named; what is written is read back; several writers of one file."""

from __future__ import annotations

import json
import re
import stat
from decimal import Decimal
from pathlib import Path

import filelock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import ConfigError, Conflict, Locked
from core.state import RealFileOps, content_hash, dumps, loads, read_json, update_json, write_json
from core.state.jsonfile import MAX_NESTING, encode

REFUSED = [
    ("empty", b"", "", "is empty"),
    ("blank", b" \n ", "", "is empty"),
    ("not a number", b'{"a": NaN}', "line 1 column 7", "NaN is not a number"),
    ("infinity", b'{"a":\n Infinity}', "line 2 column 2", "Infinity is not a number"),
    ("minus infinity", b"[-Infinity]", "line 1 column 2", "-Infinity is not a number"),
    ("overflow", b'{"a": 1e999}', "line 1 column 7", "1e999 is out of range"),
    ("negative overflow", b"[1, -1.5E400]", "line 1 column 5", "out of range"),
    ("underflow", b"[1e-999]", "line 1 column 2", "out of range"),
    ("absurd exponent", b"[1e99999999999999999999]", "line 1 column 2", "out of range"),
    ("endless integer", b"[" + b"9" * 5000 + b"]", "line 1 column 2", "out of range"),
    ("duplicate key", b'{"a": 1,\n "b": 2,\n "a": 3}', "line 3 column 2", 'the key "a" stands here a second time'),
    ("escaped duplicate", b'{"a": 1, "\\u0061": 2}', "line 1 column 10", "a second time"),
    ("inner duplicate", b'[{"x": {"k": 1, "k": 1}}]', "line 1 column 17", "a second time"),
    ("lone surrogate", b'{"a": "\\ud800"}', "line 1 column 7", "half of a surrogate pair"),
    ("lone low surrogate in a key", b'{"x\\uDC00": 1}', "line 1 column 2", "half of a surrogate pair"),
    ("deep arrays", b"[" * 33 + b"]" * 33, "line 1 column 33", "deeper than 32"),
    ("deep objects", b'{"a":' * 33 + b"1" + b"}" * 33, "line 1 column 161", "deeper than 32"),
    ("bottomless", b"[" * 100_000, "line 1 column 33", "deeper than 32"),
    ("not UTF-8", b'{"a":\n"\xff"}', "line 2", "not UTF-8"),
    ("torn", b'{"a": 1', "line 1 column 8", "not valid JSON"),
    ("trailing comma", b'{"a": 1,\n}', "line 1 column 8", "not valid JSON"),
    ("two values", b"{}\n{}", "line 2 column 1", "not valid JSON"),
    ("comment", b"{} // x", "line 1 column 4", "not valid JSON"),
    ("single quotes", b"{'a': 1}", "line 1 column 2", "not valid JSON"),
    ("control character", b'{"a": "\x01"}', "line 1 column 8", "not valid JSON"),
    ("leading zero", b"[01]", "line 1 column 3", "not valid JSON"),
    ("non-ASCII digits", "[１]".encode(), "line 1 column 2", "not valid JSON"),
]


@pytest.mark.parametrize(("data", "place", "problem"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refuses(data: bytes, place: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(data, "weights.json")
    # Python names the place of a trailing comma differently from version to version.
    if place != "line 1 column 8" or "column" not in caught.value.where:
        assert caught.value.where == ("weights.json" if not place else f"weights.json: {place}")
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"0.1", Decimal("0.1")),
        (b"1e-7", Decimal("1E-7")),
        (b"12345678901234567890", 12345678901234567890),
        (b"0.1000000000000000000000000000000001", Decimal("0.1000000000000000000000000000000001")),
        (b"-0", 0),
        (b"[true, false, null]", [True, False, None]),
        (b'"\\ud83d\\ude00"', "\U0001f600"),  # a whole pair
        (b'"\\\\ud800"', "\\ud800"),  # an escaped backslash, no surrogate
        (b'["\\ud83d", "\\ude00"]', None),  # two halves in two texts
        (b'{"a": {"k": 1}, "b": {"k": 1}}', {"a": {"k": 1}, "b": {"k": 1}}),
        (b'{"a": "a", "b": ["b", "a"]}', {"a": "a", "b": ["b", "a"]}),
        (b"[" * 32 + b"]" * 32, ...),
        (b"[" + b"[]," * 100 + b"[]]", ...),  # many, but not deep
        (b"\xef\xbb\xbf{}", {}),  # the mark some editors begin a file with
    ],
)
def test_reads(data: bytes, value: object) -> None:
    if value is None:
        with pytest.raises(ConfigError, match="surrogate"):
            loads(data)
    elif value is ...:
        assert isinstance(loads(data), list)
    else:
        found = loads(data)
        assert found == value
        assert type(found) is type(value)


def test_limit_of_nesting_is_what_is_documented() -> None:
    assert MAX_NESTING == 32


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**12), max_value=10**12)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.sampled_from([None, 0, 2, 4]))
def test_what_is_written_is_read_back(value: object, indent: int | None) -> None:
    data = encode(value, indent)
    found = loads(data)
    assert repr(found) == repr(loads(dumps(found, indent).encode()))
    # A Decimal without fraction reads as an integer; nothing else changes, and no digit is ever lost.
    assert found == value
    assert json.loads(data.decode(), parse_float=Decimal) == value


@given(st.text(alphabet='{}[]",:\\0123456789eE+-.nulltruefasNI dD8\n', max_size=40))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        value = loads(text.encode(), "x")
    except ConfigError as error:
        refused = error
    else:
        assert value == json.loads(text, parse_float=Decimal)
        return
    assert refused.where.startswith("x")
    assert refused.problem


def test_decimals_are_laid_out_like_everything_else() -> None:
    value = {"a": [Decimal("0.10"), {}, []], "b": {"c": Decimal("1E+2"), "d": None}}
    plain = {"a": [7.25, {}, []], "b": {"c": 7.25, "d": None}}
    for indent in (None, 2, 4):
        assert dumps(value, indent) == dumps(plain, indent).replace("7.25", "0.10", 1).replace("7.25", "1E+2", 1)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("Infinity")])
def test_writes_no_number_that_is_none(value: object) -> None:
    with pytest.raises(ValueError):
        dumps({"a": value})


@pytest.mark.parametrize("value", [{1: Decimal(1)}, {"a": object()}, b"bytes", {"a": {1, 2}}])
def test_writes_nothing_that_is_not_json(value: object) -> None:
    with pytest.raises(TypeError):
        dumps(value)


def test_foreign_half_surrogates_never_make_a_file_unreadable() -> None:
    assert loads(encode({"because": "venue said \ud800!"})) == {"because": "venue said ?!"}


def test_file_round_trip_and_mode(tmp_path: Path) -> None:
    ops, path = RealFileOps(), tmp_path / "a.json"
    written = write_json(ops, path, {"b": Decimal("0.10"), "a": "ü"})
    value, read = read_json(ops, path)
    assert value == {"b": Decimal("0.10"), "a": "ü"}
    assert isinstance(value, dict)
    assert list(value) == ["b", "a"]
    assert written == read == content_hash(path.read_bytes())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_text() == '{\n  "b": 0.10,\n  "a": "ü"\n}\n'


def test_a_missing_file_is_not_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_json(RealFileOps(), tmp_path / "a.json")


def test_update_keeps_what_it_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "engine_config.json"
    path.write_text('{"zeta": 1, "unknown": {"b": 1.50, "a": [1e2]}, "alpha": 2}')
    value, before = read_json(RealFileOps(), path)
    assert isinstance(value, dict)
    after = update_json(path, before, {**value, "alpha": 3})
    found, now = read_json(RealFileOps(), path)
    assert now == after
    assert isinstance(found, dict)
    assert list(found) == ["zeta", "unknown", "alpha"]
    assert re.sub(r"\s", "", path.read_text()) == '{"zeta":1,"unknown":{"b":1.50,"a":[1E+2]},"alpha":3}'


def test_update_sees_that_somebody_else_wrote(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    first = update_json(path, None, {"n": 1})
    path.write_text('{"n": 2}')
    with pytest.raises(Conflict, match=r"a\.json changed"):
        update_json(path, first, {"n": 3})
    assert path.read_text() == '{"n": 2}'


def test_update_sees_that_the_file_appeared_or_vanished(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    first = update_json(path, None, {"n": 1})
    with pytest.raises(Conflict):
        update_json(path, None, {"n": 2})
    path.unlink()
    with pytest.raises(Conflict):
        update_json(path, first, {"n": 2})
    assert not path.exists()


def test_update_waits_for_the_lock_and_says_who_is_in_the_way(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    with filelock.FileLock(f"{path}.lock"), pytest.raises(Locked, match="nothing was written"):
        update_json(path, None, {"n": 1}, timeout_s=0.05)
    assert not path.exists()
    update_json(path, None, {"n": 1})
    assert path.exists()


def test_update_goes_through_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles" / "a.json", tmp_path / "a.json"
    real.parent.mkdir()
    real.write_text("{}")
    link.symlink_to(real)
    update_json(link, content_hash(b"{}"), {"n": 1})
    assert link.is_symlink()
    assert json.loads(real.read_text()) == {"n": 1}
