"""The demo's home: free ports, a clean folder, and the files a user would have written."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
import socket
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock

from cli.errors import UserError
from cli.places import demo_homes, runs
from cli.pm2 import pm2_of
from cli.reading import DISK, lines_of_json, object_in
from config.home import CHECKOUT, Home
from core.state import write_json

EXAMPLES = CHECKOUT / "examples"
LOOPBACK = "127.0.0.1"
FIRST_PORT = 8100
PORTS_APART = 100  # between places, so that two that start at once do not choose the same
LAST_PORT = 65000
SIMULATOR_PORTS = 6  # the admin API and one for each venue it knows
PORTS = SIMULATOR_PORTS + 2
"""Those of the simulator, the webhook before them and the feed of traders after them."""
SEED = 7
STALENESS_S = 20
"""Sooner than elsewhere, so that one can watch what a feed that fell silent does."""
ACCOUNTS = "bybit=2"
"""Two on one venue, one on every other."""
MARKER = "A demo: simulated venue, simulated money. `./run demo` empties this folder at every start.\n"


@dataclass(frozen=True, slots=True)
class DemoHouse:
    """A demo's home and where its processes listen."""

    home: Home
    simulator_port: int
    webhook_port: int

    @property
    def admin_url(self) -> str:
        return f"http://{LOOPBACK}:{self.simulator_port}"

    @property
    def webhook_url(self) -> str:
        return f"http://{LOOPBACK}:{self.webhook_port}"

    @property
    def feed_port(self) -> int:
        return self.simulator_port + SIMULATOR_PORTS

    @property
    def feed_url(self) -> str:
        return f"http://{LOOPBACK}:{self.feed_port}"

    @property
    def note(self) -> Path:
        return self.home.root / "demo.json"

    @property
    def ready_file(self) -> Path:
        return self.home.state / "simulator.jsonl"

    @property
    def feed_ready_file(self) -> Path:
        return self.home.state / "feed.jsonl"


# --- choosing a place -------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def claimed(home: Home, wait_s: float) -> Iterator[bool]:
    """Holds the right to build, start or stop the demo in this place. False: somebody else has it."""
    lock = filelock.FileLock(f"{home.root}.lock", timeout=0)
    try:
        try:
            lock.acquire()
        except filelock.Timeout:
            if wait_s:
                print("Another ./run demo is busy here; waiting for it.", file=sys.stderr)
            lock.acquire(timeout=wait_s)
    except filelock.Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@contextlib.contextmanager
def free_place() -> Iterator[Home]:
    """A demo place that neither runs nor is being prepared; claimed until the block ends.

    Raises:
        UserError: all are taken.
    """
    for home in demo_homes():
        with claimed(home, wait_s=0) as mine:
            if mine and not (home.is_demo and runs(home)):
                yield home
                return
    raise UserError("Every place for a demo is in use. `./run status` lists them; stop one with ./run --home DIR down.")


def remembered(home: Home) -> DemoHouse | None:
    """The house as demo.json describes it; None where there is none yet, or none that can be read."""
    try:
        note = object_in(home.root / "demo.json") or {}
        return DemoHouse(home, int(note["simulator_port"]), int(note["webhook_port"]))
    except (UserError, KeyError, TypeError, ValueError):
        return None


# --- building ---------------------------------------------------------------------------------------------------------


def build(home: Home, first_port: int | None = None) -> DemoHouse:
    """An empty home with its marker, its note and its ports. What a former demo left goes: its venue is gone too.

    Without `first_port` the ports are those of the former demo if they are free, so that addresses stay as they were.
    """
    former = remembered(home)
    if home.is_demo:
        pm2_of(home).kill()
        shutil.rmtree(home.root)
    elif home.root.exists():
        raise UserError(f"{home.root} is no demo's folder, so the demo was not started. Move it away.")
    home.root.mkdir(mode=0o700, exist_ok=True)
    home.root.chmod(0o700)
    (home.root / "DEMO").write_text(MARKER)
    home.prepare()
    own_first = (first_port or FIRST_PORT) + PORTS_APART * demo_homes().index(home)
    stays = first_port is None and former is not None and all_free(former.webhook_port)
    base = former.webhook_port if former and stays else first_free(own_first)
    house = DemoHouse(home, simulator_port=base + 1, webhook_port=base)
    ports = {
        "simulator_port": house.simulator_port,
        "webhook_port": house.webhook_port,
        "feed_port": house.feed_port,
    }
    write_json(DISK, house.note, {"schema": 1, "seed": SEED, "accounts": ACCOUNTS, **ports})
    return house


def all_free(first: int) -> bool:
    """Whether every port the demo needs, `first` and those after it, can be listened on."""
    for port in range(first, first + PORTS):
        with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                return False
    return True


def first_free(first: int) -> int:
    for base in range(first, LAST_PORT, PORTS + 1):
        if all_free(base):
            return base
    raise UserError(f"No {PORTS} free ports in a row from {first} on, so the demo was not started.")


def furnish(house: DemoHouse) -> tuple[str, ...]:
    """Writes the configuration, with the keys of the simulated accounts. Returns the account ids."""
    venues = lines_of_json(house.ready_file)
    accounts = [account_entry(venue, account) for venue in venues for account in venue["accounts"]]
    tokens = {"webhook_tokens": [secrets.token_hex(16)]}
    feeds = [{name: feed[name] for name in ("api_key", "endpoint")} for feed in lines_of_json(house.feed_ready_file)]
    whole = {"tradingview": tokens, "bittensor_sn8": feeds[0] if feeds else {}, "accounts": accounts}
    write_json(DISK, house.home.credentials, whole, indent=4)
    # Nothing leaves this machine: the chain is not asked who is registered.
    write_json(DISK, house.home.bittensor_config, {"metagraph": False}, indent=4)
    for path in (house.home.asset_mapping, house.home.signal_weights):
        shutil.copyfile(EXAMPLES / path.name, path)
    config = json.loads((EXAMPLES / house.home.engine_config.name).read_text())
    config["sources"]["bittensor"]["staleness_s"] = STALENESS_S
    config["tradingview_endpoint"] = {"host": LOOPBACK, "port": house.webhook_port}
    write_json(DISK, house.home.engine_config, config, indent=4)
    return tuple(f"{entry['venue']}-{entry['name']}" for entry in accounts)


def account_entry(venue: Mapping[str, Any], account: Mapping[str, Any]) -> dict[str, Any]:
    """One entry of credentials.json's accounts[], from the simulator's line for its venue."""
    keys = {name: value for name, value in account.items() if name not in {"name", "equity"}}
    place = {"base_url": venue["base_url"], "ws_url": venue["ws_url"]}
    return {"venue": venue["venue"], "name": account["name"], **keys, **{k: v for k, v in place.items() if v}}
