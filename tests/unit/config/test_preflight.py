"""--check: what becomes of the process that asks the venue, also when there is none to start."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from config.preflight import check_accounts, preflight
from config.scripting import Output
from tests.unit.config.house import House

KEYS = {"api_key": "a", "api_secret": "b"}


@pytest.fixture
def keyed(house: House) -> House:
    house.put("credentials.json", {"bybit": KEYS, "mexc": {"api_key": "a"}}).chmod(0o600)
    return house


def program(folder: Path, body: str) -> Path:
    path = folder / "run"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("body", "outcome", "said"),
    [
        ('echo "fit to trade: $*"', "passed", "preflight bybit-main"),
        ('echo "the key may not trade" >&2; exit 1', "failed", "the key may not trade"),
        ("exit 3", "failed", "ended with 3 and said nothing"),
        ("echo no such verb >&2; exit 2", "unknown", "is not understood by this checkout's ./run"),
        ("exec sleep 60", "unknown", "did not end within 0.2 s"),
    ],
)
def test_outcomes(house: House, tmp_path: Path, body: str, outcome: str, said: str) -> None:
    found = preflight(house.home, "bybit-main", program(tmp_path, body), limit_s=0.2 if "sleep" in body else 20)
    assert found.outcome == outcome
    assert said in "\n".join(found.said)


def test_the_home_is_named(house: House, tmp_path: Path) -> None:
    found = preflight(house.home, "bybit-main", program(tmp_path, 'echo "$@"'))
    assert found.said == (f"--home {house.home.root} preflight bybit-main",)


def test_a_program_that_is_not_there_proves_nothing(house: House, tmp_path: Path) -> None:
    assert preflight(house.home, "bybit-main", tmp_path / "nothing").outcome == "unknown"


def test_all_accounts_are_asked_and_one_in_trouble_fails_unasked(keyed: House, tmp_path: Path) -> None:
    output = Output(keyed.home.credentials, as_json=True, out=io.StringIO())
    assert check_accounts(keyed.home, [], output, program(tmp_path, "echo fine")) == 1
    assert [(one["account"], one["outcome"]) for one in json.loads(json.dumps(output.more["checks"]))] == [
        ("bybit-main", "passed"),
        ("mexc-main", "failed"),
    ]
    assert check_accounts(keyed.home, ["bybit-main"], output, program(tmp_path, "echo fine")) == 0


def test_an_account_that_is_not_there_is_named(keyed: House, tmp_path: Path) -> None:
    output = Output(keyed.home.credentials, out=io.StringIO())
    assert check_accounts(keyed.home, ["bybit-mian"], output, program(tmp_path, "echo fine")) == 1
    assert "did you mean bybit-main?" in output.problems[0]
