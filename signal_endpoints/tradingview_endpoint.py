"""`tradingview-endpoint`: the webhook that TradingView's alerts are posted to.

    python3 signal_endpoints/tradingview_endpoint.py [--home DIR] [--host HOST] [--port PORT]

Listens on 127.0.0.1:8000 unless engine_config says otherwise (`tradingview_endpoint{host,port,trusted_proxies[]}`); a
proxy in front of it brings TLS and the allowlist of addresses. An alert is answered 200 once it is on disk.

One granian worker serves. It is a process of its own, so it also ends when its parent is gone: an orphan would go on
taking alerts into a log that the next start believes to be its own.
"""

from __future__ import annotations

import argparse
import http.client
import logging
import multiprocessing
import os
import secrets
import socket
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from functools import partial

import filelock
from granian import Granian
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings

from config.home import Home
from config.process import EXIT_INVALID, Heartbeat, Life
from core.clock import SystemClock
from core.errors import ConfigError
from core.ports import FileOps
from core.state import RealFileOps, ensure_dir
from core.state.files import FILE_MODE
from observers.log import start_logging
from signal_endpoints.live_files import LiveFiles
from signal_endpoints.raw_log import RawLog
from signal_endpoints.refusals import Refusals
from signal_endpoints.standing import Standing
from signal_endpoints.webhook_app import Webhook, WsgiApp, create_app
from signal_endpoints.webhook_tokens import Tokens
from signal_processors.signal_stores import Ages, Store, Tended, raw_may_go, tend_for_ever
from signal_processors.tradingview_document import SOURCE
from signal_processors.tradingview_old_logs import import_old_logs

log = logging.getLogger("tradingview-endpoint")

PROCESS = "tradingview-endpoint"
THREADS = 64
MAX_CONNECTIONS = 256
MAX_HEADER_BYTES = 64 * 1024
HEADER_TIMEOUT_MS = 5000
HEALTH_TIMEOUT_S = 2.0
STOP_TIMEOUT_S = 5
LOCK_WAIT_S = 5.0
TICK_S = 1.0
STRANGERS_TICKS = 60


# --- in the worker ----------------------------------------------------------------------------------------------------


def build(root: str) -> WsgiApp:
    """The application of a home, working: made in the worker, which from then on is the only writer of the raw log."""
    start_logging()
    home, ops, clock = Home.find(given=root), RealFileOps(), SystemClock()
    _end_with_the_parent()
    if not _hold_the_lock(home, ops):
        logging.shutdown()
        os._exit(1)
    new_id = partial(secrets.token_hex, 16)
    tokens = Tokens(home, ops, clock, os.environ, new_id)
    cache = home.state / "cache" / f"{SOURCE}.json"
    webhook = Webhook(
        clock=clock,
        live=LiveFiles(home, ops, clock),
        tokens=tokens,
        raw_log=RawLog(home.raw_signals(SOURCE), cache, ops, clock, new_id),
        standing=Standing(home.statuses, ops, clock),
        refusals=Refusals(home.rejected_signals(SOURCE), ops, tokens.without),
    )
    tick(webhook)
    threading.Thread(target=keep_up, args=(webhook,), name="housekeeping", daemon=True).start()
    tend_for_ever(home, stores_of(home, ops), clock, log)
    Heartbeat(home, PROCESS, ops, clock, lambda: {**webhook.live.versions, **tokens.versions}).start()
    return create_app(webhook)


def stores_of(home: Home, ops: FileOps) -> list[Tended]:
    """The stores this process writes, and how long each is kept."""
    raw = Store(home.raw_signals(SOURCE), ops, may_go=raw_may_go())
    rejected = Store(home.rejected_signals(SOURCE), ops)
    return [
        (raw, lambda keys: Ages(keys.compress_after_days, keys.raw_keep_days)),
        (rejected, lambda keys: Ages(keys.compress_after_days, keys.rejected_keep_days)),
    ]


def tick(webhook: Webhook) -> None:
    """What is done once a second: looks at the live files, and mends the log if it needs it."""
    webhook.live.refresh()
    webhook.tokens.refresh()
    webhook.raw_log.tick()


def keep_up(webhook: Webhook) -> None:
    """Ticks for ever, and says now and then how many strangers came."""
    try:
        while True:
            for _ in range(STRANGERS_TICKS):
                time.sleep(TICK_S)
                tick(webhook)
            count, latest = webhook.strangers.take()
            if count:
                log.warning("%d request(s) without a valid token in a minute, the latest from %s.", count, latest)
    finally:
        # Without this the webhook would serve on with the files of today for ever: better a restart.
        traceback.print_exc()
        log.critical("The housekeeping of the webhook broke; it ends, to be started again.")
        logging.shutdown()
        os._exit(1)


def _end_with_the_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, name="parent", daemon=True).start()


def _hold_the_lock(home: Home, ops: RealFileOps) -> bool:
    """For the life of the process; False where another endpoint writes this home's log."""
    try:
        ensure_dir(ops, home.locks)
        path = home.locks / f"{PROCESS}.lock"
        lock = filelock.FileLock(path, timeout=LOCK_WAIT_S, mode=FILE_MODE, thread_local=False)
        lock.acquire()
        _kept.append(lock)
    except filelock.Timeout:
        log.error("Another %s works for %s, and two cannot write one log. Stop it first.", PROCESS, home.root)
        return False
    return True


_kept: list[filelock.BaseFileLock] = []


# --- in the main process ----------------------------------------------------------------------------------------------


def _answers(host: str, port: int) -> bool:
    """Whether /health answers, whatever it says: then alerts are answered too."""
    connection = http.client.HTTPConnection(host, port, timeout=HEALTH_TIMEOUT_S)
    try:
        connection.request("GET", "/health")
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True


def _address(host: str, port: int) -> str:
    """The numeric address of `host`, free to listen on. Raises OSError.

    Looked at before the server starts, because the server would share the port with whoever has it already.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)
    return str(address[0])


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="tradingview_endpoint.py",
        description="The webhook for TradingView alerts: POST /webhook/<token>, GET /health.",
        epilog="Tokens stand in credentials.json (tradingview.webhook_tokens); the first one is made at first start.",
    )
    parser.add_argument("--home", help="folder of the files (default: TRADE_ENGINE_HOME, else the checkout)")
    parser.add_argument("--host", help="address to listen on (default: engine_config, else 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on (default: engine_config, else 8000)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _arguments(argv)
    life = Life.begin(PROCESS)
    # Plain here: the worker is forked from this process, and the queue of the usual log does not survive that.
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    home = Home.find(given=arguments.home)
    try:
        home.prepare()
        import_old_logs(home, RealFileOps(), SystemClock(), log)
        rules = LiveFiles(home, RealFileOps(), SystemClock()).rules
    except ConfigError as error:
        log.error("%s. Correct it, then start again.", error)
        return EXIT_INVALID
    except OSError as error:
        log.error("%s cannot be used: %s. Mend that; nothing was changed.", home.root, error)
        return 1
    host, port = arguments.host or rules.host, arguments.port or rules.port
    try:
        address = _address(host, port)
    except OSError as error:
        log.error("The webhook cannot listen on %s:%d: %s. Free the port or choose another.", host, port, error)
        return 1
    life.watch()
    life.ready_when(partial(_answers, address, port))
    log.info("Webhook of %s (%s) on http://%s:%d", home.root, home.label, host, port)
    _serve(home, address, port)
    log.info("Ended.")
    return 0


def _serve(home: Home, address: str, port: int) -> None:
    Granian(
        PROCESS,
        address=address,
        port=port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=THREADS,
        runtime_threads=1,
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT_MS, max_buffer_size=MAX_HEADER_BYTES),
        backlog=MAX_CONNECTIONS,
        backpressure=MAX_CONNECTIONS,
        workers_kill_timeout=STOP_TIMEOUT_S,
        log_enabled=False,
    ).serve(target_loader=partial(build, str(home.root)), wrap_loader=False)


if __name__ == "__main__":
    sys.exit(main())
