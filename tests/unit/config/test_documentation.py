"""docs/configuration.md and examples/ say what the models say."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from config.assemble import FileSet, KnownAccount, assemble
from config.checks import TOP_KEYS, check_engine
from config.contents import parsed
from config.credentials_file import CredentialsFile
from config.home import Home
from config.models import (
    SOURCE_DEFAULTS,
    AccountEntry,
    ControlKeys,
    DedupKeys,
    EndpointKeys,
    EngineKeys,
    PolicyKeys,
    SourceEntry,
    SourceWeight,
    StoreKeys,
    WeightEntry,
)
from core.domain import AccountId, LeverageChange, LeverageFrom, Policy

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = ROOT / "examples"
PAGE = (ROOT / "docs" / "configuration.md").read_text()

TABLES: Mapping[str, type[BaseModel]] = {
    "weights": WeightEntry,
    "shares": SourceWeight,
    "policy": PolicyKeys,
    "source": SourceEntry,
    "account": AccountEntry,
    "dedup": DedupKeys,
    "signal_stores": StoreKeys,
    "tradingview_endpoint": EndpointKeys,
    "control_api": ControlKeys,
}
AUTO = {"max_gross_exposure", "max_order_notional"}


def rows(table: str) -> dict[str, list[str]]:
    """Key -> cells, of the table that follows the mark `<!-- keys: table -->`."""
    found = re.search(rf"<!-- keys: {table} -->\n(?P<body>(?:\|.*\n)+)", PAGE)
    assert found, f"no table for {table}"
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in found["body"].splitlines()[2:]]
    return {cells[0].strip("`"): cells for cells in lines}


def shown(name: str, field: FieldInfo) -> str:
    """A default as the page writes it."""
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if name == "symbols":
        return "all"
    if value is None:
        return "`auto`" if name in AUTO else "`off`"
    if isinstance(value, StrEnum):
        return f"`{value.value}`"
    if isinstance(value, bool | list | dict):
        return f"`{json.dumps(value)}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


@pytest.mark.parametrize("table", TABLES)
def test_the_page_has_every_key_with_its_default(table: str) -> None:
    written = {name: cells[1] for name, cells in rows(table).items()}
    assert written == {name: shown(name, field) for name, field in TABLES[table].model_fields.items()}


@pytest.mark.parametrize("table", TABLES)
def test_every_row_is_filled(table: str) -> None:
    assert not [cells for cells in rows(table).values() if len(cells) != 4 or not all(cells)]


def test_the_page_names_every_word_a_key_takes() -> None:
    for name, field in {**PolicyKeys.model_fields, **AccountEntry.model_fields}.items():
        if isinstance(field.default, StrEnum):
            table = "policy" if name in PolicyKeys.model_fields else "account"
            words = ", ".join(f"`{word.value}`" for word in type(field.default))
            assert rows(table)[name][2] == words


def test_the_page_has_every_section_and_file() -> None:
    assert all(f"### {section}\n" in PAGE for section in EngineKeys.model_fields)
    for file in ("credentials.json", "asset_mapping_config.json", "signal_weight_config.json", "HALT", ".env"):
        assert f"| `{file}` |" in PAGE
    assert "`engine_config.json`, or `engine_config.toml`" in PAGE
    for source, keys in SOURCE_DEFAULTS.items():
        for name in keys.model_fields_set:
            assert re.search(rf"`{name}` {getattr(keys, name):g} for\s+{source}", PAGE)


@pytest.mark.parametrize("script", ["credentials", "asset_mapping", "signal_weights"])
def test_the_page_has_every_script_and_option(script: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        importlib.import_module(f"config.{script}").main(["--help"])
    options = set(re.findall(r"--[a-z]+", capsys.readouterr().out)) - {"--help"}
    assert len(options) >= 7
    assert {option for option in options if f"`{option}" not in PAGE} == set()
    assert f"| `{script}.py` |" in PAGE


# --- examples ---------------------------------------------------------------------------------------------------------

SEED_MAPPINGS = {
    "tradingview": {"BTCUSDT": "BTCUSDT", "ETHUSDT": "ETHUSDT"},
    "bittensor": {"BTCUSD": "BTCUSDT", "ETHUSD": "ETHUSDT"},
}
SEED_SHARES = [{"source": "tradingview", "weight": 0.1}, {"source": "bittensor", "weight": 0.15}]
SEED_WEIGHTS = [{"symbol": symbol, "leverage": 3, "sources": SEED_SHARES} for symbol in ("BTCUSDT", "ETHUSDT")]
ENGINES = sorted(path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*") if "engine_config" in path.name)
PROFILES = sorted(path.relative_to(EXAMPLES).as_posix() for path in (EXAMPLES / "profiles").iterdir())


def example(name: str) -> Any:
    return parsed((EXAMPLES / name).read_bytes(), Path(name).name)


def policy(engine: str) -> Policy:
    """The policy in force for an account in a home made of the examples. Fails unless all is well with it."""
    known = [KnownAccount(AccountId("bybit-main"), "bybit", "main")]
    files = FileSet(example("asset_mapping_config.json"), example("signal_weight_config.json"), example(engine))
    checked = assemble(files, known)
    assert (checked.problems, checked.warnings) == ((), ())
    assert checked.value is not None
    return checked.value.settings.accounts[AccountId("bybit-main")].policy


def test_mapping_and_weights_are_as_they_always_were_written() -> None:
    assert (EXAMPLES / "asset_mapping_config.json").read_text() == json.dumps(SEED_MAPPINGS, indent=4) + "\n"
    assert (EXAMPLES / "signal_weight_config.json").read_text() == json.dumps(SEED_WEIGHTS, indent=4) + "\n"


@pytest.mark.parametrize("name", [*ENGINES, *PROFILES])
def test_every_engine_example_is_valid_without_a_word(name: str) -> None:
    policy(name)


@pytest.mark.parametrize("name", ENGINES)
def test_the_twins_write_every_key_and_are_the_defaults(name: str) -> None:
    raw = example(name)
    assert set(raw.data) == TOP_KEYS
    assert set(raw.data["sources"]) == set(SOURCE_DEFAULTS)
    for section, model in (
        ("dedup", DedupKeys),
        ("signal_stores", StoreKeys),
        ("tradingview_endpoint", EndpointKeys),
        ("control_api", ControlKeys),
    ):
        assert set(raw.data[section]) == set(model.model_fields)
    engine = check_engine(raw).value
    assert engine is not None
    assert engine.policy == PolicyKeys()
    assert all(engine.keys.source(source) == EngineKeys().source(source) for source in SOURCE_DEFAULTS)
    assert (engine.keys.dedup, engine.keys.tradingview_endpoint) == (DedupKeys(), EndpointKeys())
    assert (engine.keys.control_api, engine.keys.signal_stores) == (ControlKeys(), StoreKeys())
    assert len(ENGINES) == 2


def test_the_commented_account_of_the_toml_example_is_valid() -> None:
    text = (EXAMPLES / "engine_config.toml").read_text()
    start = text.index("# [accounts.bybit-main]")
    lines = text[start : text.index("\n\n", start)].splitlines()
    data = "\n".join(line.removeprefix("# ") for line in lines).encode()
    checked = check_engine(parsed(data, "engine_config.toml"))
    assert (checked.problems, checked.warnings) == ((), ())
    assert checked.value is not None
    assert checked.value.keys.accounts["bybit-main"].symbols == ["BTCUSDT"]


def test_the_profiles_set_what_they_promise() -> None:
    seed = policy("profiles/seed.toml")
    assert seed.max_leverage == 20
    assert seed.leverage_from is LeverageFrom.CONFIG
    assert seed.leverage_change is LeverageChange.CLOSE_AND_REOPEN
    scalping = policy("profiles/scalping.toml")
    assert [scalping.max_leverage, scalping.max_positions, scalping.min_book_depth_x] == [50, 5, None]
    shares = [scalping.max_depth, scalping.max_total_margin, scalping.max_slippage]
    assert shares == [Decimal("0.005"), Decimal("0.2"), Decimal("0.005")]
    assert [scalping.trips.daily_loss_pct, scalping.trips.kill_loss_pct] == [5, 10]
    assert scalping.trips.max_notional_per_hour_x == 100
    assert scalping.reconcile_interval_s == 1.0


def test_the_example_of_credentials_names_no_secret_and_is_read(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.credentials.write_bytes((EXAMPLES / "credentials.json").read_bytes())
    home.credentials.chmod(0o600)
    environ = {"BYBIT_API_KEY": "key", "BYBIT_API_SECRET": "secret"}
    found = CredentialsFile(home, environ).load()
    assert [account.account for account in found.accounts] == ["bybit-main"]
    assert not found.accounts[0].trouble
