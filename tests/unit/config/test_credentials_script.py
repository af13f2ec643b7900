"""config/credentials.py: the questions, flags and files; no secret is ever shown, and nothing is half applied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from config.credential_fields import checked
from config.credentials import main
from config.credentials_file import CredentialsFile
from config.prompting import Ended
from tests.unit.config.house import House
from tests.unit.config.person import Scripted, content, run

CANARY = "canary-5f2c"
WALLET = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
OWN_KEY = "0x" + "0" * 63 + "1"
AGENT_KEY = "0" * 63 + "2"
SKIP_ALL = [""] * 6
BYBIT = {"api_key": f"{CANARY}-k", "api_secret": f"{CANARY}-s"}
PROMPTS = [
    "Enter your API key for Bittensor SN8: ",
    "Enter the Bittensor endpoint URL: ",
    "Enter your Bybit API key: ",
    "Enter your Bybit API secret: ",
    "Enter your BloFin API key: ",
    "Enter your BloFin API secret: ",
    "Enter your BloFin API passphrase: ",
    "Enter your KuCoin API key: ",
    "Enter your KuCoin API secret: ",
    "Enter your KuCoin API passphrase: ",
    "Enter your MEXC API key: ",
    "Enter your MEXC API secret: ",
    "Enter your Hyperliquid wallet address: ",
    "Enter your Hyperliquid private key: ",
    "Add another account (name or Enter to finish): ",
]
OPEN = {PROMPTS[1], PROMPTS[12], PROMPTS[14]}
FULL = ["sn8", "https://feed.example/x", "a", "b", "c", "d", "e f", "g", "h", "i", "j", "k", WALLET, AGENT_KEY]


@pytest.fixture
def keyed(house: House) -> House:
    house.put("credentials.json", {"bybit": BYBIT, "tradingview": {"webhook_tokens": [f"{CANARY}-t"]}}).chmod(0o600)
    return house


def after(house: House, *answers: str) -> Any:
    person = Scripted(*answers)
    assert run(main, house, person=person) == 0
    assert person.left == 0
    return content(house.home.credentials)


# --- the session ------------------------------------------------------------------------------------------------------


def test_every_prompt_in_its_order_and_every_secret_unseen(house: House) -> None:
    person = Scripted(*FULL, "")
    assert run(main, house, person=person) == 0
    assert person.asked == PROMPTS
    assert person.hidden == [prompt for prompt in PROMPTS if prompt not in OPEN]
    found = content(house.home.credentials)
    assert list(found) == ["bittensor_sn8", "bybit", "blofin", "kucoin", "mexc", "hyperliquid"]
    assert found["blofin"] == {"api_key": "c", "api_secret": "d", "api_passphrase": "e f"}
    assert found["hyperliquid"] == {"wallet_address": WALLET, "private_key": f"0x{AGENT_KEY}"}
    assert house.home.credentials.stat().st_mode & 0o777 == 0o600
    loaded = CredentialsFile(house.home, {}).load()
    assert [account.trouble for account in loaded.accounts] == [""] * 5


def test_enter_skips_what_is_not_there_and_keeps_what_is(keyed: House) -> None:
    before = keyed.home.credentials.stat()
    person = Scripted("", "", "", "", "", "", "", "")
    assert run(main, keyed, person=person) == 0
    assert person.left == 0
    assert keyed.home.credentials.stat() == before


def test_one_value_of_a_venue_may_be_replaced(keyed: House) -> None:
    assert after(keyed, "", "", "new", "", "", "", "", "")["bybit"] == {**BYBIT, "api_secret": "new"}


def test_a_venue_half_answered_is_left_as_it_was(house: House) -> None:
    person = Scripted("", "", "", "key", "", "", "", "", "")
    assert run(main, house, person=person) == 0
    assert "kucoin" not in content(house.home.credentials)
    assert "KuCoin is left as it was." in person.told
    assert person.asked.count("Enter your KuCoin API secret: ") == 2


def test_what_the_older_script_left_empty_counts_as_not_configured(house: House) -> None:
    house.put("credentials.json", {"bybit": {"api_key": "", "api_secret": ""}})
    assert after(house, *SKIP_ALL, "")["bybit"] == {"api_key": "", "api_secret": ""}


def test_further_accounts_are_added_and_edited(keyed: House) -> None:
    found = after(
        keyed, "", "", "", "", "", "", "", "second", "bybit", "k2", "s2", "third", "kucoin", "a", "b", "c", ""
    )
    assert [list(one.values()) for one in found["accounts"]] == [
        ["bybit", "second", "k2", "s2"],
        ["kucoin", "third", "a", "b", "c"],
    ]
    found = after(keyed, "", "", "", "", "", "", "", "second", "bybit", "", "s3", "")
    assert found["accounts"][0] == {"venue": "bybit", "name": "second", "api_key": "k2", "api_secret": "s3"}


@pytest.mark.parametrize("name", ["main", "Second", "a b", "-x", "x" * 39, "zwölf", "a/b"])
def test_a_name_that_is_none_is_asked_for_again(keyed: House, name: str) -> None:
    person = Scripted("", "", "", "", "", "", "", name, "")
    assert run(main, keyed, person=person) == 0
    assert person.left == 0


def test_an_exchange_that_is_none_is_asked_for_again_and_enter_gives_up(keyed: House) -> None:
    person = Scripted("", "", "", "", "", "", "", "second", "bybitt", "", "")
    assert run(main, keyed, person=person) == 0
    assert "second is not added" in person.told
    assert "accounts" not in content(keyed.home.credentials)


def test_the_key_of_another_account_is_refused(keyed: House) -> None:
    person = Scripted("", "", "", "", "", "", "", "second", "bybit", BYBIT["api_key"], "s2", "", "")
    assert run(main, keyed, person=person) == 0
    assert "same key as bybit-main" in person.told
    assert "accounts" not in content(keyed.home.credentials)


@pytest.mark.parametrize(
    ("key", "words"), [(OWN_KEY, "wallet's own"), (AGENT_KEY, "an agent's, 0x2B5AD5c4795c026514f8317c7a215E218DcCD6cF")]
)
def test_whose_a_private_key_is(house: House, key: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    person = Scripted(*[""] * 5, WALLET.lower(), key, "")
    assert run(main, house, person=person) == 0
    assert words in person.told
    assert words in capsys.readouterr().out


def test_a_key_from_the_environment_is_told_when_nothing_sets_it(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SET_HERE", OWN_KEY)
    house.put(".env", f"IN_DOTENV={CANARY}\n").chmod(0o600)
    person = Scripted("", "env:IN_DOTENV", "env:NOWHERE", "", "", "", WALLET, "env:SET_HERE", "")
    assert run(main, house, person=person) == 0
    assert "NOWHERE is set neither" in person.told
    assert "IN_DOTENV is set" not in person.told
    assert "wallet's own" in person.told
    assert content(house.home.credentials)["bybit"] == {"api_key": "env:IN_DOTENV", "api_secret": "env:NOWHERE"}
    assert CANARY not in capsys.readouterr().out


BAD = [
    ("api_key", "xq xr"),
    ("api_key", "x" * 513),
    ("api_secret", "sécret"),
    ("api_secret", "env:1 2"),
    ("api_secret", "env:A-B"),
    ("endpoint", "feed.example"),
    ("endpoint", "ftp://feed.example"),
    ("endpoint", "https://user:pass@feed.example"),
    ("endpoint", "https://feed.example:99999/"),
    ("endpoint", "https://[::1/"),
    ("wallet_address", WALLET.swapcase().replace("0X", "0x")),
    ("private_key", WALLET),
]


@pytest.mark.parametrize(("name", "text"), BAD)
def test_a_value_that_is_none_is_refused_unseen(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as refused:
        checked(name, text)
    assert text not in str(refused.value)


@pytest.mark.parametrize("then", [KeyboardInterrupt, Ended])
@pytest.mark.parametrize("count", range(len(FULL) + 1))
def test_interrupted_at_any_prompt_nothing_changes(keyed: House, count: int, then: type[BaseException]) -> None:
    before = keyed.home.credentials.read_bytes()
    person = Scripted(*FULL[:count], then=then)
    assert run(main, keyed, person=person) == (130 if then is KeyboardInterrupt else 1)
    assert person.left == 0
    assert keyed.home.credentials.read_bytes() == before


# --- what is kept, tightened and refused ------------------------------------------------------------------------------


def test_what_it_does_not_know_stays_in_its_place(house: House) -> None:
    old = {
        "note": {"a": [1, 2.50]},
        "bybit": {**BYBIT, "label": "x"},
        "ccxt": {"ccxt_list": [{"exchange": "mexc", "account_name": "Old One", "apiKey": "a", "secret": "b"}], "v": 1},
        "accounts": [{"venue": "okx", "name": "a", "api_key": "1", "api_secret": "2", "more": None}],
    }
    house.put("credentials.json", old)
    found = after(house, "", "", "new", *[""] * 4, "")
    assert found == {**old, "bybit": {**BYBIT, "label": "x", "api_secret": "new"}}
    assert list(found) == list(old)


def test_a_file_that_others_can_read_is_tightened_and_that_is_told(
    keyed: House, capsys: pytest.CaptureFixture[str]
) -> None:
    keyed.home.credentials.chmod(0o644)
    before = keyed.home.credentials.read_bytes()
    assert run(main, keyed, "--show") == 0
    assert "mode 0644); tightened to 0600" in capsys.readouterr().out
    assert keyed.home.credentials.stat().st_mode & 0o777 == 0o600
    assert keyed.home.credentials.read_bytes() == before


BROKEN = [
    ("", "is empty"),
    ('{"bybit": {"api_key": "' + CANARY, "line 1 column"),
    (f'["{CANARY}"]', "must be an object"),
    (f'{{"bybit": "{CANARY}"}}', "credentials.json: bybit: must be an object"),
    (f'{{"accounts": {{"{CANARY}": 1}}}}', "credentials.json: accounts: must be a list"),
    (f'{{"mexc": {{}},\n "mexc": {{"api_key": "{CANARY}"}}}}', "line 2 column"),
]


@pytest.mark.parametrize(("text", "named"), BROKEN)
def test_a_broken_file_is_left_for_its_owner(
    house: House, text: str, named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = house.put("credentials.json", text)
    for words in ((), ("--show",), ("--set", "mexc.api_key=env:A")):
        assert run(main, house, *words, person=Scripted(*FULL, "")) == 1
        out = capsys.readouterr().out
        assert named in out
        assert CANARY not in out
        assert path.read_text() == text


# --- flags and files --------------------------------------------------------------------------------------------------


def test_set_takes_names_of_secrets_and_plain_addresses(keyed: House) -> None:
    words = (
        "hyperliquid-main.wallet_address=" + WALLET,
        "hyperliquid-main.private_key=env:HL",
        "bybit-second.api_key=env:K2",
        "bybit-second.api_secret=env:S2",
        "bybit-second.base_url=http://127.0.0.1:9101",
        "bittensor_sn8.endpoint=https://feed.example",
        "bittensor_sn8.api_key=env:SN8",
    )
    assert run(main, keyed, *(word for text in words for word in ("--set", text))) == 0
    found = content(keyed.home.credentials)
    assert found["hyperliquid"] == {"wallet_address": WALLET, "private_key": "env:HL"}
    assert found["accounts"][0]["base_url"] == "http://127.0.0.1:9101"
    assert found["bittensor_sn8"] == {"endpoint": "https://feed.example", "api_key": "env:SN8"}


@pytest.mark.parametrize(
    ("word", "named"),
    [
        (f"bybit-main.api_secret={CANARY}", "every user of this machine sees command lines"),
        ("nonsense", "must be ACCOUNT.FIELD=VALUE"),
        ("okx-main.api_key=env:A", "names no account"),
        ("bybit-A.api_key=env:A", "names no account"),
        ("hyperliquid-main.wallet_address=0x12", "must be an address"),
        ("mexc-main.api_key=env:A", "mexc.api_secret: is missing"),
        ("bybit-main.base_url=http://example.org", "must begin with https://"),
    ],
)
def test_a_set_that_is_refused(keyed: House, word: str, named: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = keyed.home.credentials.read_bytes()
    assert run(main, keyed, "--set", word) == 1
    out = capsys.readouterr().out
    assert named in out
    assert CANARY not in out
    assert keyed.home.credentials.read_bytes() == before


def test_from_merges_field_by_field(keyed: House, tmp_path: Path) -> None:
    given = {
        "bybit": {"api_secret": "new"},
        "accounts": [{"venue": "kucoin", "name": "x", "api_key": "1", "api_secret": "2", "api_passphrase": "3"}],
        "ccxt": {"ccxt_list": [{"exchange": "mexc", "account_name": "Old", "apiKey": "a", "secret": "b"}]},
        "tradingview": {"webhook_tokens": ["other"]},
    }
    (tmp_path / "new.json").write_text(json.dumps(given))
    for _ in range(2):
        assert run(main, keyed, "--from", str(tmp_path / "new.json")) == 0
        found = content(keyed.home.credentials)
        assert found["bybit"] == {**BYBIT, "api_secret": "new"}
        assert found["tradingview"]["webhook_tokens"] == [f"{CANARY}-t", "other"]
        assert (found["accounts"], found["ccxt"]) == (given["accounts"], given["ccxt"])
    assert len(CredentialsFile(keyed.home, {}).load().accounts) == 3


def test_from_refuses_what_would_make_an_account_unusable(
    keyed: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = keyed.home.credentials.read_bytes()
    given = {"kucoin": {"api_key": f"{CANARY}-z"}, "mexc": {"api_key": "a", "api_secret": "b"}}
    (tmp_path / "new.json").write_text(json.dumps(given))
    assert run(main, keyed, "--from", str(tmp_path / "new.json")) == 1
    out = capsys.readouterr().out
    assert "kucoin.api_secret: is missing" in out
    assert CANARY not in out
    assert keyed.home.credentials.read_bytes() == before


@pytest.mark.parametrize("account", ["bybit-main", "mexc-old", "kucoin-x", "bittensor_sn8"])
def test_remove_takes_one_account_out_of_whatever_form(house: House, account: str) -> None:
    whole = {
        "bybit": BYBIT,
        "bittensor_sn8": {"api_key": "a", "endpoint": "https://feed.example"},
        "accounts": [
            {"venue": "okx", "name": "y", "api_key": "1", "api_secret": "2"},
            {"venue": "kucoin", "name": "x", "api_key": "1", "api_secret": "2", "api_passphrase": "3"},
        ],
        "ccxt": {"ccxt_list": [{"exchange": "mexc", "account_name": "Old", "apiKey": "a", "secret": "b"}]},
    }
    house.put("credentials.json", whole)
    before = {str(one.account) for one in CredentialsFile(house.home, {}).load().accounts}
    assert run(main, house, "--remove", account) == 0
    loaded = CredentialsFile(house.home, {}).load()
    assert {str(one.account) for one in loaded.accounts} == before - {account}
    assert (loaded.bittensor is None) == (account == "bittensor_sn8")
    assert run(main, house, "--remove", account) == 1


def test_validate_names_every_problem(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.put(
        "credentials.json",
        {
            "bybit": {"api_key": f"{CANARY}-a"},
            "kucoin": {"api_key": "env:NOWHERE", "api_secret": "a", "api_passphrase": "b"},
            "hyperliquid": {"wallet_address": WALLET[:-1], "private_key": f"{CANARY}-p"},
            "bitensor": {},
            "tradingview": {"webhook_tokens": [3]},
        },
    )
    assert run(main, house, "--validate", "--json") == 1
    text = capsys.readouterr().out
    found = json.loads(text)
    joined = "\n".join(found["problems"])
    for words in ("bybit.api_secret: is missing", "asks for NOWHERE", "wallet_address must be", "webhook_tokens[0]"):
        assert words in joined
    assert any("bitensor" in warning for warning in found["warnings"])
    assert CANARY not in text
    assert len(found["problems"]) == 4


def test_show_never_shows_a_secret(keyed: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, keyed, "--show") == 0
    assert run(main, keyed, "--show", "--json") == 0
    out = capsys.readouterr().out
    assert "bybit-main (bybit): api_key set, api_secret set" in out
    assert "1 webhook tokens" in out
    assert CANARY not in out


def test_without_a_file_show_and_validate_say_so(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(main, house, "--show") == 0
    assert run(main, house, "--validate") == 1
    assert "make it with python3 config/credentials.py" in capsys.readouterr().out
