"""The configuration scripts at a real terminal, prompt by prompt as people know them, and beside a running engine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pexpect
import pytest

from config.home import Home
from config.reload import FileSettings
from core.clock import SystemClock

ROOT = Path(__file__).resolve().parents[2]
SEED_MAPPINGS = {
    "tradingview": {"BTCUSDT": "BTCUSDT", "ETHUSDT": "ETHUSDT"},
    "bittensor": {"BTCUSD": "BTCUSDT", "ETHUSD": "ETHUSDT"},
}
MENU = """
What would you like to do with existing mappings?
  k - keep all existing mappings
  m - modify existing mappings one by one
  n - start fresh with no mappings
Choose (k/m/n): """
OWN = "Enter source asset symbol (e.g., ETHUSD) or press Enter to finish: "
WALLET = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
AGENT_KEY = "0" * 63 + "2"

Steps = Sequence[tuple[str, str]]
"""What must stand on the screen next, and what is then typed."""


class Desk:
    """A person's terminal in one home."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.screen = ""

    def start(self, script: str, *words: str) -> pexpect.spawn[str]:
        command = [f"config/{script}.py", "--home", str(self.home), *words]
        return pexpect.spawn(
            sys.executable, command, cwd=str(ROOT), encoding="utf-8", timeout=30, dimensions=(50, 200), echo=True
        )

    def run(self, script: str, steps: Steps) -> int:
        """Goes through a session; returns its exit code. Every question must have been foreseen, in its order."""
        child = self.start(script)
        seen = []
        for text, answer in steps:
            child.expect_exact(text.replace("\n", "\r\n"))
            assert not unforeseen(child.before or ""), f"before {text!r}: {child.before}"
            seen += [child.before or "", text]
            child.sendline(answer)
        child.expect(pexpect.EOF)
        assert not unforeseen(child.before or ""), child.before
        self.screen = "".join([*seen, child.before or ""]).replace("\r\n", "\n")
        child.close()
        assert child.exitstatus is not None
        return child.exitstatus

    def put(self, name: str, value: object) -> bytes:
        text = json.dumps(value, indent=4) + "\n"
        (self.home / name).write_text(text)
        return text.encode()

    def content(self, name: str) -> Any:
        return json.loads((self.home / name).read_text())

    def ordered(self, name: str) -> str:
        """The file as text, so that order counts."""
        return json.dumps(self.content(name))


def unforeseen(shown: str) -> bool:
    """Whether a question stands in what should hold none."""
    return any(line.startswith(("Enter ", "Assign ", "Choose", "Keep/")) for line in shown.splitlines()[1:])


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


# --- the sessions of the documentation --------------------------------------------------------------------------------

CREDENTIALS: Steps = [
    ("Enter your API key for Bittensor SN8: ", "sn8-canary"),
    ("Enter the Bittensor endpoint URL: ", "https://feed.example/miner-positions"),
    ("Enter your Bybit API key: ", "canary-1"),
    ("Enter your Bybit API secret: ", "canary-2"),
    ("Enter your BloFin API key: ", "canary-3"),
    ("Enter your BloFin API secret: ", "canary-4"),
    ("Enter your BloFin API passphrase: ", "canary-5"),
    ("Enter your KuCoin API key: ", "canary-6"),
    ("Enter your KuCoin API secret: ", "canary-7"),
    ("Enter your KuCoin API passphrase: ", "canary-8"),
    ("Enter your MEXC API key: ", "canary-9"),
    ("Enter your MEXC API secret: ", "canary-10"),
    ("Enter your Hyperliquid wallet address: ", WALLET),
    ("Enter your Hyperliquid private key: ", AGENT_KEY),
    ("Add another account (name or Enter to finish): ", ""),
]


def test_credentials(desk: Desk) -> None:
    assert desk.run("credentials", CREDENTIALS) == 0
    assert "canary" not in desk.screen
    assert AGENT_KEY not in desk.screen
    assert "The private key is an agent's" in desk.screen
    assert desk.content("credentials.json") == {
        "bittensor_sn8": {"api_key": "sn8-canary", "endpoint": "https://feed.example/miner-positions"},
        "bybit": {"api_key": "canary-1", "api_secret": "canary-2"},
        "blofin": {"api_key": "canary-3", "api_secret": "canary-4", "api_passphrase": "canary-5"},
        "kucoin": {"api_key": "canary-6", "api_secret": "canary-7", "api_passphrase": "canary-8"},
        "mexc": {"api_key": "canary-9", "api_secret": "canary-10"},
        "hyperliquid": {"wallet_address": WALLET, "private_key": f"0x{AGENT_KEY}"},
    }
    before = (desk.home / "credentials.json").read_bytes()
    assert desk.run("credentials", [(prompt, "") for prompt, _ in CREDENTIALS]) == 0
    assert (desk.home / "credentials.json").read_bytes() == before


def test_asset_mapping_from_nothing(desk: Desk) -> None:
    steps = [
        ("\nConfiguring mappings for tradingview\n" + OWN, "BTCUSDT"),
        ("Enter translated asset symbol for BTCUSDT: ", "BTCUSDT"),
        (OWN, "ETHUSDT"),
        ("Enter translated asset symbol for ETHUSDT: ", "ETHUSDT"),
        (OWN, ""),
        ("\nConfiguring mappings for bittensor\n" + OWN, "BTCUSD"),
        ("Enter translated asset symbol for BTCUSD: ", "BTCUSDT"),
        (OWN, "ETHUSD"),
        ("Enter translated asset symbol for ETHUSD: ", "ETHUSDT"),
        (OWN, ""),
    ]
    assert desk.run("asset_mapping", steps) == 0
    assert desk.ordered("asset_mapping_config.json") == json.dumps(SEED_MAPPINGS)
    assert "Summary of asset mappings:\n  tradingview:\n    BTCUSDT -> BTCUSDT" in desk.screen


def test_asset_mapping_modified_updated_and_moved(desk: Desk) -> None:
    desk.put("asset_mapping_config.json", SEED_MAPPINGS)
    steps = [
        ("Current mappings for tradingview:\n  BTCUSDT -> BTCUSDT\n  ETHUSDT -> ETHUSDT\n" + MENU, "n"),
        ("\nConfiguring mappings for tradingview\n" + OWN, "SOLUSDT"),
        ("Enter translated asset symbol for SOLUSDT: ", "SOLUSDT"),
        (OWN, "SOLUSDT"),
        ("SOLUSDT is already mapped to SOLUSDT.\nDo you want to update it? (y/n): ", "n"),
        (OWN, ""),
        ("Current mappings for bittensor:\n  BTCUSD -> BTCUSDT\n  ETHUSD -> ETHUSDT\n" + MENU, "m"),
        ("\nCurrent mapping: BTCUSD -> BTCUSDT\nKeep/Modify/Remove (k/m/r)? ", "m"),
        ("Enter translated asset symbol for BTCUSD (press Enter for current value: BTCUSDT): ", ""),
        ("\nCurrent mapping: ETHUSD -> ETHUSDT\nKeep/Modify/Remove (k/m/r)? ", "k"),
        ("\nConfiguring mappings for bittensor\n" + OWN, "WETHUSD"),
        ("Enter translated asset symbol for WETHUSD: ", "ETHUSDT"),
        (OWN, ""),
    ]
    assert desk.run("asset_mapping", steps) == 0
    expected = {
        "tradingview": {"SOLUSDT": "SOLUSDT"},
        "bittensor": {"BTCUSD": "BTCUSDT", "WETHUSD": "ETHUSDT"},
    }
    assert desk.ordered("asset_mapping_config.json") == json.dumps(expected)


def kept(symbol: str) -> Steps:
    """Enter at every question about a symbol that has the weights of the documentation."""
    now = ", press Enter for current value: "
    return [
        (f"\nConfiguring {symbol}\nEnter leverage for {symbol} (press Enter for current value: 3): ", ""),
        (f"Assign weight for {symbol} from tradingview (remaining weight: 1.00{now}0.10): ", ""),
        (f"Assign weight for {symbol} from bittensor (remaining weight: 0.90{now}0.15): ", ""),
    ]


def test_signal_weights_first_and_again(desk: Desk) -> None:
    desk.put("asset_mapping_config.json", SEED_MAPPINGS)
    steps = []
    for symbol in ("BTCUSDT", "ETHUSDT"):
        steps += [
            (f"\nConfiguring {symbol}\nEnter leverage for {symbol}: ", "3"),
            (f"Assign weight for {symbol} from tradingview (remaining weight: 1.00): ", "0.1"),
            (f"Assign weight for {symbol} from bittensor (remaining weight: 0.90): ", "0.15"),
        ]
    assert desk.run("signal_weights", steps) == 0
    before = (desk.home / "signal_weight_config.json").read_bytes()
    assert before == (ROOT / "examples" / "signal_weight_config.json").read_bytes()
    steps = [*kept("BTCUSDT"), *kept("ETHUSDT")]
    assert desk.run("signal_weights", steps) == 0
    assert (desk.home / "signal_weight_config.json").read_bytes() == before
    assert "BTCUSDT: leverage 3, allocated weight 0.25" in desk.screen


def test_adding_taousdt_is_live_without_a_restart(desk: Desk) -> None:
    desk.put("asset_mapping_config.json", SEED_MAPPINGS)
    (desk.home / "signal_weight_config.json").write_bytes(
        (ROOT / "examples" / "signal_weight_config.json").read_bytes()
    )
    running = FileSettings(_home(desk), SystemClock(), accounts=())
    assert "TAOUSDT" not in _weights(running)
    mapping = [
        ("Current mappings for tradingview:\n  BTCUSDT -> BTCUSDT\n  ETHUSDT -> ETHUSDT\n" + MENU, "k"),
        ("\nConfiguring mappings for tradingview\n" + OWN, "TAOUSDT"),
        ("Enter translated asset symbol for TAOUSDT: ", "TAOUSDT"),
        (OWN, ""),
        ("\nCurrent mappings for bittensor:\n  BTCUSD -> BTCUSDT\n  ETHUSD -> ETHUSDT\n" + MENU, "k"),
        ("\nConfiguring mappings for bittensor\n" + OWN, "TAOUSD"),
        ("Enter translated asset symbol for TAOUSD: ", "TAOUSDT"),
        (OWN, ""),
    ]
    assert desk.run("asset_mapping", mapping) == 0
    weights = [
        *kept("BTCUSDT"),
        *kept("ETHUSDT"),
        ("\nConfiguring TAOUSDT\nEnter leverage for TAOUSDT: ", "3"),
        ("Assign weight for TAOUSDT from tradingview (remaining weight: 1.00): ", "0.10"),
        ("Assign weight for TAOUSDT from bittensor (remaining weight: 0.90): ", "0.15"),
    ]
    assert desk.run("signal_weights", weights) == 0
    shares = [{"source": "tradingview", "weight": 0.1}, {"source": "bittensor", "weight": 0.15}]
    assert desk.content("signal_weight_config.json")[2:] == [{"symbol": "TAOUSDT", "leverage": 3, "sources": shares}]
    assert "TAOUSDT" in _weights(running)
    assert running.problems() == ()


def _home(desk: Desk) -> Home:
    home = Home(desk.home)
    home.prepare()
    return home


def _weights(settings: FileSettings) -> set[str]:
    found = settings.settings()
    assert found is not None
    return {str(symbol) for symbol in found.weights}


# --- leaving in the middle --------------------------------------------------------------------------------------------

SCRIPTS = {
    "credentials": ("credentials.json", CREDENTIALS),
    "asset_mapping": (
        "asset_mapping_config.json",
        [("Choose (k/m/n): ", "n"), (OWN, "SOLUSDT"), ("for SOLUSDT: ", "X1")],
    ),
    "signal_weights": (
        "signal_weight_config.json",
        [("current value: 3): ", "9"), ("0.10): ", "0.2"), ("0.15): ", "0")],
    ),
}


@pytest.mark.parametrize("leave", ["ctrl-c", "ctrl-d", "hang-up"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_leaving_at_a_prompt_changes_nothing(desk: Desk, script: str, leave: str) -> None:
    desk.put("credentials.json", {"bybit": {"api_key": "a", "api_secret": "b"}})
    desk.put("asset_mapping_config.json", SEED_MAPPINGS)
    (desk.home / "signal_weight_config.json").write_bytes(
        (ROOT / "examples" / "signal_weight_config.json").read_bytes()
    )
    name, steps = SCRIPTS[script]
    before = (desk.home / name).read_bytes()
    child = desk.start(script)
    for text, answer in steps[:-1]:
        child.expect_exact(text)
        child.sendline(answer)
    child.expect_exact(steps[-1][0])
    if leave == "ctrl-c":
        child.sendintr()
        child.expect_exact("Interrupted. Nothing was changed.")
    elif leave == "ctrl-d":
        child.sendeof()
        child.expect_exact("The input ended before the questions did. Nothing was changed.")
    if leave != "hang-up":
        child.expect(pexpect.EOF)
    child.close(force=False)
    assert (desk.home / name).read_bytes() == before
    assert sorted(os.listdir(desk.home)) == sorted(  # noqa: PTH208 - names, not paths
        ["credentials.json", "asset_mapping_config.json", "signal_weight_config.json"]
    )
    if leave != "hang-up":
        assert child.exitstatus == (130 if leave == "ctrl-c" else 1)


def test_a_paste_of_two_lines_answers_no_second_question(desk: Desk) -> None:
    child = desk.start("credentials")
    child.expect_exact("Enter your API key for Bittensor SN8: ")
    child.sendline("")
    child.expect_exact("Enter your Bybit API key: ")
    child.send("canary-key\ncanary-secret\n")
    child.expect_exact("More than one line came in at once, and none of it was taken.")
    child.expect_exact("Enter your Bybit API key: ")
    child.sendcontrol("c")
    child.expect(pexpect.EOF)
    child.close()
    assert not (desk.home / "credentials.json").exists()


# --- without a terminal -----------------------------------------------------------------------------------------------


def plain(desk: Desk, script: str, *words: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, f"config/{script}.py", "--home", str(desk.home), *words]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=60, cwd=ROOT, check=False)


@pytest.mark.parametrize("script", SCRIPTS)
def test_nobody_there_to_ask(desk: Desk, script: str) -> None:
    desk.put("asset_mapping_config.json", SEED_MAPPINGS)
    done = plain(desk, script)
    assert done.returncode == 1
    assert "Without a terminal, see --help" in done.stdout
    assert plain(desk, script, "--help").returncode == 0


def test_from_standard_input_to_valid_and_json(desk: Desk) -> None:
    done = plain(desk, "asset_mapping", "--from", "-", given=json.dumps(SEED_MAPPINGS))
    assert done.returncode == 0, done.stdout
    weights = (ROOT / "examples" / "signal_weight_config.json").read_text()
    assert plain(desk, "signal_weights", "--from", "-", given=weights).returncode == 0
    for script in ("asset_mapping", "signal_weights"):
        done = plain(desk, script, "--validate", "--json")
        assert json.loads(done.stdout)["done"]
        assert done.stderr == ""


def test_a_secret_from_standard_input_is_on_no_command_line(desk: Desk) -> None:
    given = json.dumps({"mexc": {"api_key": "canary-1", "api_secret": "canary-2"}})
    done = plain(desk, "credentials", "--from", "-", given=given)
    assert (done.returncode, "canary" in done.stdout + done.stderr) == (0, False)
    assert (desk.home / "credentials.json").stat().st_mode & 0o777 == 0o600
