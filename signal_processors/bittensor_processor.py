"""`bittensor-signals`: the traders of Bittensor SN8, ranked and blended into `signals/bittensor.json`.

    python3 signal_processors/bittensor_processor.py [--home DIR] [--once] [--as-of TIME] [--explain [--json]]
    python3 signal_processors/bittensor_processor.py --config [--show | --validate | --from FILE | --set NAME=VALUE …]

It asks the feed every two seconds. What is no opinion (no answer, no JSON, a trader's record that cannot be, most
traders gone at once) leaves the document as it is and writes no heartbeat; the engine then takes the source as Unknown
and freezes what it contributed. docs/bittensor.md has the formulas, the parameters and the messages.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import sys
from collections.abc import Sequence

import filelock

from account_processors.transport import HttpTransport
from config.credentials_file import BittensorCredentials, CredentialsFile
from config.home import Home
from config.process import Heartbeat, Life
from core.clock import SystemClock
from core.errors import ConfigError
from core.state import RealFileOps, ensure_dir, parse_instant
from core.state.files import FILE_MODE
from observers.log import start_logging
from signal_processors.bittensor_client import HttpFeed
from signal_processors.bittensor_config import main as configure
from signal_processors.bittensor_explain import as_json, table
from signal_processors.bittensor_feed import MAX_REPLY_BYTES
from signal_processors.bittensor_polling import PROCESS, Places, Processor
from signal_processors.bittensor_registry import Registry
from signal_processors.bittensor_settings import LiveSettings

POLL_S = 2.0
LEAST_PAUSE_S = 0.2
CREDENTIALS_POLL_S = 2.0
LOCK_WAIT_S = 5.0
NO_CREDENTIALS = (
    "credentials.json has no bittensor_sn8 with api_key and endpoint; add it with python3 config/credentials.py. "
    "Until then there is no opinion of this source, and none is changed."
)

log = logging.getLogger(PROCESS)


async def follow(processor: Processor, stop: asyncio.Event) -> None:
    """Polls every two seconds until `stop` is set."""
    loop = asyncio.get_running_loop()
    while not stop.is_set():
        began_s = loop.time()
        await processor.poll()
        pause_s = max(POLL_S - (loop.time() - began_s), LEAST_PAUSE_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await stop.wait()


async def credentials(home: Home, stop: asyncio.Event) -> BittensorCredentials | None:
    """The feed's credentials, as soon as there are any; None when `stop` came first."""
    said = ""
    while not stop.is_set():
        found, problem = load_credentials(home)
        if found is not None:
            return found
        if problem != said:
            log.warning("%s", problem)
            said = problem
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CREDENTIALS_POLL_S):
                await stop.wait()
    return None


def load_credentials(home: Home) -> tuple[BittensorCredentials | None, str]:
    """The feed's credentials, or None and what to do about it."""
    try:
        found = CredentialsFile(home).load()
    except ConfigError as error:
        return None, f"{error}. Until then there is no opinion of this source, and none is changed."
    own = [problem for problem in found.problems if "bittensor" in problem]
    return found.bittensor, own[0] if own else NO_CREDENTIALS


async def serve(home: Home, life: Life) -> int:
    """The process as PM2 runs it: until it is told to stop."""
    ops, clock = RealFileOps(), SystemClock()
    settings = LiveSettings(home, ops, clock)
    async with life.stopping() as stop:
        settings.look()
        beating = Heartbeat(home, PROCESS, ops, clock, settings.versions).start()
        registry = Registry(Places.of(home).metagraph, ops, clock)
        registry.load()
        processor = Processor(Places.of(home), ops, clock, settings, registry)
        processor.open()
        life.ready()
        found = await credentials(home, stop)
        if found is not None:
            warn_of_plain_text(found)
            transport = HttpTransport(clock, max_body_bytes=MAX_REPLY_BYTES)
            processor.feed = HttpFeed(found, transport)
            asking = asyncio.create_task(registry.run(processor.wants_metagraph))
            try:
                await follow(processor, stop)
            finally:
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)
                await transport.close()
        processor.close()
        beating.set()
    log.info("Ended (%s).", life.why)
    return 0


def warn_of_plain_text(found: BittensorCredentials) -> None:
    host = found.endpoint.partition("://")[2].partition("/")[0].rpartition(":")[0]
    if found.endpoint.startswith("http://") and host not in ("127.0.0.1", "localhost", "[::1]"):
        log.warning("The endpoint is http://, so the API key travels unencrypted; use https:// where the feed has it.")


async def look(home: Home, args: argparse.Namespace, as_of: float | None) -> int:
    """One reply, taken in (`--once`), or only looked at (`--explain` alone)."""
    ops, clock = RealFileOps(), SystemClock()
    found, problem = load_credentials(home)
    if found is None:
        log.error("%s", problem)
        return 1
    settings = LiveSettings(home, ops, clock)
    registry = Registry(Places.of(home).metagraph, ops, clock)
    registry.load()
    processor = Processor(Places.of(home), ops, clock, settings, registry, once=True, as_of=as_of)
    transport = HttpTransport(clock, max_body_bytes=MAX_REPLY_BYTES)
    processor.feed = HttpFeed(found, transport)
    try:
        if args.once:
            processor.open()
        good = await processor.poll(write=args.once)
    finally:
        await transport.close()
        processor.close()
    if args.explain and processor.judged is not None:
        text = as_json(processor.judged) if args.json else table(processor.judged)
        sys.stdout.write(text + "\n")
    return 0 if good else 1


def instant(text: str) -> float:
    """Epoch seconds of `--as-of`: an ISO instant, or epoch milliseconds as the feed has them."""
    if text.isascii() and text.isdigit() and len(text) <= 15:
        return int(text) / 1000
    try:
        return parse_instant(text)
    except ValueError:
        hint = "an instant such as 2026-11-20T09:12:44Z, or epoch milliseconds"
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not {hint}") from None


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="bittensor_processor.py",
        description="Ranks the traders of Bittensor SN8 and writes what they say to signals/bittensor.json.",
        epilog="--config asks for the parameters, and has a --help of its own. docs/bittensor.md explains everything.",
    )
    add = parser.add_argument
    add("--home", metavar="DIR", help="folder of the files (default: TRADE_ENGINE_HOME, else the checkout)")
    add("--once", action="store_true", help="take in one reply, write the document and end; 1 if it was no opinion")
    add("--as-of", type=instant, metavar="TIME",
        help="as it stood then: what came later is dropped. No heartbeat, so no engine trades on it")  # fmt: skip
    add("--explain", action="store_true", help="show who ranks where and why; writes nothing unless --once is given")
    add("--json", action="store_true", help="--explain as one JSON object")
    args = parser.parse_args(argv)
    if args.as_of is not None and not (args.once or args.explain):
        parser.error("--as-of needs --once or --explain: a process cannot live in the past")
    if args.json and not args.explain:
        parser.error("--json belongs to --explain")
    if args.home == "":
        parser.error("--home names no folder; an unset variable? Nothing was changed.")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if "--config" in words:
        words.remove("--config")
        return configure(words)
    args = arguments(words)
    life = Life.begin(PROCESS)
    logs = start_logging()
    home = Home.find(given=args.home)
    try:
        if args.explain and not args.once:
            return asyncio.run(look(home, args, args.as_of))
        home.prepare()
        ensure_dir(RealFileOps(), home.locks)
        with filelock.FileLock(home.locks / f"{PROCESS}.lock", timeout=LOCK_WAIT_S, mode=FILE_MODE):
            return asyncio.run(look(home, args, args.as_of) if args.once else serve(home, life))
    except filelock.Timeout:
        log.error("Another %s works for %s; two would undo each other. Stop it first.", PROCESS, home.root)
    except KeyboardInterrupt:
        log.info("Interrupted.")
        return 130
    except OSError as error:
        log.error("%s cannot be used: %s. Mend that; nothing was changed.", home.root, error)
    finally:
        logs.close()
    return 1


if __name__ == "__main__":
    sys.exit(main())
