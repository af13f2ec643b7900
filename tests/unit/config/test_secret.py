from __future__ import annotations

import copy
import json
import traceback

import pytest

from config.secret import HIDDEN, Secret, parse_dotenv, plain_or_hidden, resolve
from core.errors import ConfigError

CANARY = "s3cr3t-canary"


def test_nothing_but_reveal_shows_a_secret() -> None:
    secret = Secret(CANARY)
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>20}", format(secret, ">30"), str([secret])]
    shown += [str({"key": secret}), "%s" % secret, json.dumps({"key": secret}, default=str)]  # noqa: UP031 - a way to show
    assert not [text for text in shown if CANARY in text]
    assert secret.reveal() == CANARY


def test_a_secret_is_not_json_and_not_copied_as_bytes() -> None:
    secret = Secret(CANARY)
    with pytest.raises(TypeError) as found:
        json.dumps({"key": secret})
    assert CANARY not in str(found.value)
    with pytest.raises(TypeError):
        secret.__reduce_ex__(4)
    assert copy.deepcopy({"key": secret})["key"].reveal() == CANARY
    assert copy.copy(secret) is secret


def test_a_traceback_through_a_secret_does_not_show_it() -> None:
    def fail(secret: Secret) -> None:
        raise ValueError(f"cannot use {secret}")

    with pytest.raises(ValueError) as found:
        fail(Secret(CANARY))
    assert CANARY not in "".join(traceback.format_exception(found.value))


def test_secrets_compare_by_their_text() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
    assert Secret("a").matches("a")
    assert not Secret("a").matches("ä\ud800")
    assert not Secret("")


def test_plain_or_hidden_reaches_inside() -> None:
    inner = {"accounts": [{"api_key": Secret(CANARY), "name": "main"}], "n": (1, Secret(CANARY))}
    assert plain_or_hidden(inner) == {"accounts": [{"api_key": HIDDEN, "name": "main"}], "n": [1, HIDDEN]}


DOTENV = [
    ("", {}),
    ("# only a comment\n\n  \n", {}),
    ("A=1\nB = two words \n", {"A": "1", "B": "two words"}),
    ("export A=1", {"A": "1"}),
    ("A='a # b' # c\nB=\"x y\"\n", {"A": "a # b", "B": "x y"}),
    ("A=a#b # comment", {"A": "a#b"}),
    ("A=\nA=2", {"A": "2"}),
    ("A=x=y", {"A": "x=y"}),
    ("A=$B`c`\\n", {"A": "$B`c`\\n"}),
    ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
]


@pytest.mark.parametrize(("text", "found"), DOTENV)
def test_dotenv(text: str, found: dict[str, str]) -> None:
    assert parse_dotenv(text, ".env") == found


@pytest.mark.parametrize("line", ["=x", "9A=1", f"{CANARY} {CANARY}", f"A='{CANARY}", f'A="{CANARY}" more', "Ä=1"])
def test_dotenv_names_the_line_and_shows_nothing_of_it(line: str) -> None:
    with pytest.raises(ConfigError) as found:
        parse_dotenv(f"OK=1\n{line}\n", ".env")
    assert found.value.where == ".env: line 2"
    assert CANARY not in str(found.value)


RESOLVED = [
    ("plain", {}, {}, "plain"),
    ("env:KEY", {"KEY": "outside"}, {"KEY": "inside"}, "outside"),
    ("env:KEY", {"KEY": ""}, {"KEY": "inside"}, "inside"),
    ("env:KEY", {}, {"KEY": "inside"}, "inside"),
]


@pytest.mark.parametrize(("text", "environ", "dotenv", "found"), RESOLVED)
def test_resolve(text: str, environ: dict[str, str], dotenv: dict[str, str], found: str) -> None:
    assert resolve(text, environ, dotenv, "here").reveal() == found


@pytest.mark.parametrize("text", ["", "env:", "env:A B", "env:9", "env:MISSING", "env:EMPTY"])
def test_resolve_refuses(text: str) -> None:
    with pytest.raises(ConfigError, match="here"):
        resolve(text, {"EMPTY": ""}, {"EMPTY": ""}, "here")
