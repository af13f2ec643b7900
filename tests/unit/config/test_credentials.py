"""credentials.json: every form of it, and that one bad entry stops one account and shows no secret."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.credential_entries import NATIVE, NEEDS, AccountCredentials
from config.credentials_file import Credentials, CredentialsFile, tighten
from config.home import Home
from config.secret import plain_or_hidden
from core.domain import AccountMode, MarginMode
from core.errors import ConfigError
from tests.unit.config.house import House

CANARY = "canary-5f2c"
KEYS = {"api_key": f"{CANARY}-k", "api_secret": f"{CANARY}-s", "api_passphrase": f"{CANARY}-p"}
WALLET = {"wallet_address": f"{CANARY}-w", "private_key": f"{CANARY}-x"}


def load(house: House, content: object, environ: Mapping[str, str] | None = None) -> Credentials:
    house.put("credentials.json", content).chmod(0o600)
    return CredentialsFile(house.home, environ or {}, house.files).load()


def one(house: House, content: object, environ: Mapping[str, str] | None = None) -> AccountCredentials:
    (account,) = load(house, content, environ).accounts
    return account


# --- the three forms --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("venue", NATIVE)
def test_a_native_entry_is_the_main_account(house: House, venue: str) -> None:
    found = one(house, {venue: KEYS | WALLET})
    assert (found.account, found.known.venue, found.known.name) == (f"{venue}-main", venue, "main")
    assert found.trouble == ""
    assert set(NEEDS[venue]) <= set(found.keys)
    assert (found.base_url, found.ws_url, found.parent) == (None, None, None)


@pytest.mark.parametrize("venue", NATIVE)
def test_a_missing_key_is_that_accounts_trouble(house: House, venue: str) -> None:
    for name in NEEDS[venue]:
        given = {key: value for key, value in (KEYS | WALLET).items() if key != name}
        found = one(house, {venue: given})
        assert found.trouble.startswith(f"credentials.json: {venue}.{name}: is missing; add it, then restart")


def test_what_the_script_leaves_empty_is_not_configured(house: House) -> None:
    empty = {"api_key": "", "api_secret": ""}
    assert load(house, dict.fromkeys(NATIVE, empty) | {"bittensor_sn8": {"api_key": ""}}).accounts == ()


def test_accounts_of_a_list(house: House) -> None:
    entries = [
        {
            "venue": "bybit",
            "name": "second",
            **KEYS,
            "base_url": "http://127.0.0.1:9101/",
            "ws_url": "ws://localhost:1",
        },
        {"venue": "okx", "name": "a-1", **KEYS, "parent": "okx-main"},
        {"venue": "hyperliquid", "name": "vault", **WALLET, "vault_address": "0xv"},
        {"venue": "paradex", "name": "main", **WALLET},
    ]
    second, okx, vault, other = load(house, {"accounts": entries}).accounts
    assert (second.account, second.base_url, second.ws_url) == (
        "bybit-second",
        "http://127.0.0.1:9101",
        "ws://localhost:1",
    )
    assert (okx.account, okx.parent, okx.trouble) == ("okx-a-1", "okx-main", "")
    assert vault.keys["vault_address"].reveal() == "0xv"
    assert (other.trouble, set(other.keys)) == ("", {"wallet_address", "private_key"})


def test_the_older_list_is_migrated(house: House) -> None:
    entries = [
        {"exchange": "KucoinFutures", "account_name": "Grid Bot #1", "apiKey": "a", "secret": "b", "password": "c"},
        {"exchange_name": "bybit", "api_key": "a", "api_secret": "b", "enabled": False, "weight_scale": 0.5},
        {"exchange_id": "mexc", "name": "x", **KEYS, "leverage_override": 4, "margin_mode": "cross", "enabled": True},
    ]
    grid, bybit, mexc = load(house, {"ccxt": {"ccxt_list": entries}}).accounts
    assert (grid.account, grid.trouble) == ("kucoin-grid-bot-1", "")
    assert {name: secret.reveal() for name, secret in grid.keys.items()} == {
        "api_key": "a",
        "api_secret": "b",
        "api_passphrase": "c",
    }
    assert bybit.account == "bybit-main"
    assert (bybit.known.given.mode, bybit.known.given.scale) == (AccountMode.DISABLED, Decimal("0.5"))
    assert mexc.known.given.leverage == {"*": Decimal(4)}
    assert mexc.known.margin_mode is MarginMode.CROSS
    assert mexc.known.given.mode is AccountMode.LIVE


# --- what is wrong with one account -----------------------------------------------------------------------------------

TROUBLES: list[tuple[dict[str, Any], str]] = [
    ({"venue": "bybit", **KEYS}, "accounts[0].name"),
    ({"name": "x", **KEYS}, "accounts[0].venue"),
    ({"venue": "By Bit", "name": "x", **KEYS}, "accounts[0].venue"),
    ({"venue": "bybit", "name": "Main", **KEYS}, "accounts[0].name"),
    ({"venue": "bybit", "name": "a_b", **KEYS}, "accounts[0].name"),
    ({"venue": "bybit", "name": "x" * 40, **KEYS}, "accounts[0].name"),
    ({"venue": "bybit", "name": "ｘ", **KEYS}, "accounts[0].name"),
    ({"venue": "bybit", "name": 3, **KEYS}, "accounts[0].name"),
    ({"venue": "bybit", "name": "x", **KEYS, "api_key": 3}, "accounts[0].api_key"),
    ({"venue": "bybit", "name": "x", **KEYS, "api_key": ""}, "accounts[0].api_key"),
    ({"venue": "bybit", "name": "x", **KEYS, "api_key": "env:NOWHERE"}, "accounts[0].api_key"),
    ({"venue": "bybit", "name": "x", **KEYS, "api_key": "env:a b"}, "accounts[0].api_key"),
    ({"venue": "bybit", "name": "x", **KEYS, "base_url": "http://example.org"}, "accounts[0].base_url"),
    ({"venue": "bybit", "name": "x", **KEYS, "base_url": "ftp://127.0.0.1"}, "accounts[0].base_url"),
    ({"venue": "bybit", "name": "x", **KEYS, "base_url": "https://"}, "accounts[0].base_url"),
    ({"venue": "bybit", "name": "x", **KEYS, "base_url": "https://me:pw@example.org"}, "accounts[0].base_url"),
    ({"venue": "bybit", "name": "x", **KEYS, "base_url": "https://[::1"}, "accounts[0].base_url"),
    ({"venue": "bybit", "name": "x", **KEYS, "base_url": 3}, "accounts[0].base_url"),
    ({"venue": "bybit", "name": "x", **KEYS, "ws_url": "https://example.org"}, "accounts[0].ws_url"),
    ({"venue": "bybit", "name": "x", **KEYS, "ws_url": "ws://example.org"}, "accounts[0].ws_url"),
    ({"venue": "bybit", "name": "x", **KEYS, "mode": "paper"}, "accounts[0].mode"),
    ({"venue": "bybit", "name": "x", **KEYS, "scale": -1}, "accounts[0].scale"),
    ({"venue": "bybit", "name": "x", **KEYS, "margin_mode": "portfolio"}, "accounts[0].margin_mode"),
]


@pytest.mark.parametrize(("entry", "field"), TROUBLES)
def test_one_bad_entry_stops_one_account(house: House, entry: dict[str, Any], field: str) -> None:
    good = {"venue": "bybit", "name": "good", **KEYS, "api_key": "another"}
    bad, fine = load(house, {"accounts": [entry, good]}).accounts
    assert bad.trouble.startswith(f"credentials.json: {field}: ")
    assert "cannot be used until then" in bad.trouble
    assert (bad.keys, fine.trouble) == ({}, "")
    assert fine.account == "bybit-good"


@pytest.mark.parametrize("entry", [3, None, [], "x"])
def test_an_entry_of_another_form_is_named_too(house: House, entry: object) -> None:
    (bad,) = load(house, {"accounts": [entry]}).accounts
    assert bad.trouble.startswith("credentials.json: accounts[0].venue: ")
    assert one(house, {"bybit": 3}).trouble.startswith("credentials.json: bybit.api_key: ")
    assert one(house, {"accounts": "x"}).trouble
    assert one(house, {"ccxt": {"ccxt_list": {"a": 1}}}).trouble


def test_an_id_named_twice_is_used_by_neither(house: House) -> None:
    other = {"api_key": "another", "api_secret": "x"}
    content = {"bybit": KEYS, "accounts": [{"venue": "bybit", "name": "main", **other}]}
    assert one(house, content).trouble.startswith("credentials.json: bybit-main is named 2 times; rename or remove one")


def test_one_real_account_is_traded_by_one_loop(house: House) -> None:
    twice = {"venue": "bybit", "name": "again", **KEYS, "api_key": "env:KEY"}
    elsewhere = {"venue": "mexc", "name": "main", **KEYS}
    main, again, mexc = load(house, {"bybit": KEYS, "accounts": [twice, elsewhere]}, {"KEY": KEYS["api_key"]}).accounts
    assert (main.trouble, mexc.trouble) == ("", "")
    assert "has the same key as bybit-main" in again.trouble
    assert again.keys == {}
    vaults = [{"venue": "hyperliquid", "name": f"v{n}", **WALLET, "vault_address": f"0x{n}"} for n in range(2)]
    assert [account.trouble for account in load(house, {"accounts": vaults}).accounts] == ["", ""]


# --- the file as a whole ----------------------------------------------------------------------------------------------

WHOLE: list[tuple[bytes, str]] = [
    (b"", "is empty"),
    (b'{"bybit": {"api_key": "canary-5f2c', "line 1"),
    (b'{"bybit": {"api_key": "canary-5f2c",}}', "line 1"),
    (b'{"a": {}, "a": {}}', "second time"),
    (b'{"a": NaN}', "NaN"),
    (b'{"a": 1e999}', "out of range"),
    (b'{"a": "canary-5f2c\xff"}', "UTF-8"),
    (b"[]", "must be an object"),
    (b"null", "must be an object"),
]


@pytest.mark.parametrize(("data", "words"), WHOLE)
def test_a_file_that_cannot_be_used_is_refused_without_showing_it(house: House, data: bytes, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as found:
        load(house, data)
    assert str(found.value).startswith("credentials.json")
    assert CANARY not in str(found.value)


def test_missing_and_unreadable_are_told_apart(house: House) -> None:
    file = CredentialsFile(house.home, {}, house.files)
    with pytest.raises(ConfigError, match=r"does not exist; make it with python3 config/credentials\.py"):
        file.load()
    house.files.broken.add(house.put("credentials.json", "{}"))
    with pytest.raises(ConfigError, match="Input/output error"):
        file.load()


def test_a_byte_order_mark_is_no_reason_to_refuse(house: House) -> None:
    assert one(house, b"\xef\xbb\xbf" + json.dumps({"bybit": KEYS}).encode()).trouble == ""


def test_unknown_sections_are_named(house: House) -> None:
    found = load(house, {"bybitt": KEYS, "notes": "x", "bybit": KEYS})
    bybitt, notes = found.problems
    assert "bybitt: is not a section the engine knows and has no effect; did you mean bybit?" in bybitt
    assert "notes" in notes
    assert CANARY not in bybitt + notes
    assert len(found.known) == 1


# --- env: and .env ----------------------------------------------------------------------------------------------------


def test_secrets_come_from_the_environment_and_from_dotenv_and_go_nowhere(house: House) -> None:
    house.put(".env", "A=from-file\nB=from-file\n")
    before = dict(os.environ)
    found = one(house, {"bybit": {"api_key": "env:A", "api_secret": "env:B"}}, {"A": "from-outside"})
    assert {name: secret.reveal() for name, secret in found.keys.items()} == {
        "api_key": "from-outside",
        "api_secret": "from-file",
    }
    assert dict(os.environ) == before


def test_a_broken_dotenv_stops_only_what_needs_it(house: House) -> None:
    house.put(".env", f"{CANARY}\n").chmod(0o600)
    content = {"bybit": KEYS, "mexc": {"api_key": "env:A", "api_secret": "x"}}
    found = load(house, content)
    bybit, mexc = found.accounts
    assert (bybit.trouble, bool(mexc.trouble)) == ("", True)
    (problem,) = found.problems
    assert problem.startswith(".env: line 1: is not of the form NAME=value; correct or remove the line.")
    assert problem.endswith("Secrets from .env are not available until then.")


def test_webhook_tokens(house: House) -> None:
    found = load(house, {"tradingview": {"webhook_tokens": ["env:T", "plain", "", 3, "env:NOWHERE"]}}, {"T": "hidden"})
    assert [token.reveal() for token in found.webhook_tokens] == ["hidden", "plain"]
    assert len(found.problems) == 3
    assert all(f"tradingview.webhook_tokens[{n}]" in found.problems[n - 2] for n in (2, 3, 4))


@pytest.mark.parametrize("section", [[], "x", {"webhook_tokens": "x"}, {"webhook_tokens": {}}])
def test_tokens_of_another_form(house: House, section: object) -> None:
    found = load(house, {"tradingview": section})
    assert found.webhook_tokens == ()
    assert found.problems[0].startswith("credentials.json: tradingview")


def test_bittensor(house: House) -> None:
    given = {"api_key": "env:K", "endpoint": "https://example.org/miner-positions"}
    found = load(house, {"bittensor_sn8": given}, {"K": CANARY}).bittensor
    assert found is not None
    assert (found.api_key.reveal(), found.endpoint) == (CANARY, "https://example.org/miner-positions")
    broken = load(house, {"bittensor_sn8": {"endpoint": "x"}})
    assert broken.bittensor is None
    assert broken.problems[0].startswith("credentials.json: bittensor_sn8.api_key: is missing")


# --- modes and owners -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["credentials.json", ".env"])
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o601, 0o700, 0o777])
def test_a_file_that_others_reach_is_tightened_and_said(house: House, name: str, mode: int) -> None:
    house.put("credentials.json", {"bybit": KEYS}).chmod(0o600)
    path = house.put(name, "{}" if name.endswith("json") else "A=1")
    path.chmod(mode)
    found = CredentialsFile(house.home, {}, house.files).load()
    assert path.stat().st_mode & 0o777 == 0o600
    assert found.problems == (f"{name}: others could reach it (mode {mode:04o}); tightened to 0600.",)


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o200])
def test_a_tighter_file_is_left_alone(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "f"
    path.touch(mode)
    path.chmod(mode)
    assert tighten(path) == ""
    assert path.stat().st_mode & 0o777 == mode


def test_somebody_elses_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.touch(0o600)
    with pytest.raises(ConfigError, match="belongs to another user") as found:
        tighten(path, user=os.getuid() + 1)
    assert found.value.where == "credentials.json"


# --- what changes later -----------------------------------------------------------------------------------------------


def test_a_change_is_told_until_the_next_start(house: House) -> None:
    house.put("credentials.json", {"bybit": KEYS}).chmod(0o600)
    file = CredentialsFile(house.home, {}, house.files)
    file.load()
    assert file.changed() == ""
    house.put("credentials.json", {"bybit": KEYS | {"api_key": "new"}}).chmod(0o600)
    assert file.changed().startswith("credentials.json changed since this process started")
    assert "restart" in file.changed()
    house.put(".env", "A=1").chmod(0o600)
    assert file.changed().startswith("credentials.json and .env changed")
    file.load()
    assert file.changed() == ""
    (house.home.root / "credentials.json").unlink()
    assert file.changed() != ""


# --- secrets that PM2 shows -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"pm_id": "0", "KEY": CANARY, "SECRET": CANARY}, "credentials.json: KEY, SECRET came from the environment"),
        ({"pm_id": "0", "SECRET": CANARY}, "credentials.json: SECRET came from the environment"),
        ({"pm_id": "0"}, ""),
        ({"KEY": CANARY, "SECRET": CANARY}, ""),
    ],
    ids=["all of it", "one of them", "from .env", "no PM2"],
)
def test_secrets_in_an_environment_that_pm2_shows_are_told(house: House, environ: dict[str, str], told: str) -> None:
    house.put(".env", f"KEY={CANARY}\nSECRET={CANARY}\n").chmod(0o600)
    found = load(house, {"bybit": {"api_key": "env:KEY", "api_secret": " env:SECRET"}}, environ)
    assert [problem.partition(", and PM2")[0] for problem in found.problems] == ([told] if told else [])
    assert CANARY not in "".join(found.problems)
    assert not found.accounts[0].trouble


async def test_what_is_wrong_with_parts_of_it_is_logged(house: House, caplog: pytest.LogCaptureFixture) -> None:
    house.put("credentials.json", {"bybit": KEYS, "bybitt": {}}).chmod(0o600)
    assert await CredentialsFile(house.home, {}, house.files).wait(asyncio.Event(), lambda: None)
    assert "bybitt: is not a section the engine knows" in caplog.text


# --- nothing shows a secret -------------------------------------------------------------------------------------------


def test_no_secret_is_shown_by_anything_that_was_read(house: House) -> None:
    content = {
        "bybit": KEYS,
        "hyperliquid": WALLET,
        "bittensor_sn8": {"api_key": CANARY, "endpoint": "https://example.org"},
        "tradingview": {"webhook_tokens": [CANARY]},
        "accounts": [entry for entry, _ in TROUBLES],
    }
    found = load(house, content)
    shown = f"{found} {found!r} {found.accounts[0]} {plain_or_hidden(found.accounts[0].keys)} {found.known}"
    assert CANARY not in shown
    assert "(secret)" in shown


FIELDS = st.sampled_from(
    [*KEYS, "mode", "scale", "leverage", "symbols", "margin_mode", "base_url", "ws_url", "enabled"]
)


def named(entry: dict[str, Any]) -> dict[str, Any]:
    return {"venue": "bybit", "name": "x"} | entry


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=6) | st.sampled_from([CANARY, f"env:{CANARY}"]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner) | st.dictionaries(FIELDS, inner).map(named)
    ),
    max_leaves=8,
)
SECTIONS = st.sampled_from([*NATIVE, "accounts", "ccxt", "tradingview", "bittensor_sn8"])


@pytest.fixture(scope="module")
def open_house(tmp_path_factory: pytest.TempPathFactory) -> House:
    home = Home(tmp_path_factory.mktemp("open"))
    home.prepare()
    return House(home)


@given(st.dictionaries(SECTIONS, JSON, max_size=4))
@settings(max_examples=300, deadline=None)
def test_whatever_stands_there_is_read_without_a_word_of_it(open_house: House, content: dict[str, Any]) -> None:
    found = load(open_house, content)
    told = [*found.problems, *(account.trouble for account in found.accounts)]
    assert CANARY not in " ".join(told)
    assert len({account.account for account in found.accounts}) == len(found.accounts)
