"""ccxt's own class of an exchange, with everything taken out of it that asks, waits, marks or remembers for itself.

`Line` is what stands behind it: room in the rate budget, time, and the one place that sends.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol
from urllib.parse import urlsplit

import ccxt.async_support as sdk
from ccxt.async_support.base.exchange import Exchange as SdkExchange
from ccxt.base import errors as sdk_errors

from account_processors.budget import Lease
from account_processors.codecs.ccxt_facts import Facts
from account_processors.codecs.wire import Malformed, document
from account_processors.wiring import pause_s
from core.errors import ConfigError, EngineError
from core.ports import Response

KEEP = frozenset({"swap", "linear", "contract", "perp", "perpetual"})
CREDENTIALS: Mapping[str, str] = {
    "apiKey": "api_key",
    "secret": "api_secret",
    "password": "api_passphrase",
    "walletAddress": "wallet_address",
    "privateKey": "private_key",
}
"""ccxt's name of a credential -> that of credentials.json."""


class Rehearsed(EngineError):
    """The order is complete: this is where it would have gone out."""


class Unprepared(EngineError):
    """An order wanted to send something else first. Nothing was sent."""


class Line(Protocol):
    """What an exchange object sends through."""

    facts: Facts

    def now_ms(self) -> int: ...
    def allowed(self, params: Any) -> Any: ...
    async def take_room(self, cost: Any) -> Lease: ...
    def give_back(self, lease: Lease) -> None: ...
    def answered(self, parsed: Any) -> bool: ...
    def doubt_time(self) -> None: ...
    def rest(self, rests_s: float | None) -> None: ...
    async def send(self, url: str, method: str, headers: Any, body: Any) -> Response: ...


class _Wired(SdkExchange):
    """What every exchange class of ccxt is mixed with. Names begin with an underscore: ccxt camel-cases the others."""

    _line: Line

    def __repr__(self) -> str:
        return f"ccxt {self.id}"  # what this object knows must not be shown

    def __del__(self) -> None:
        """Nothing to close."""

    async def load_markets(self, reload: bool = False, params: object = None) -> Any:
        """Never asks: markets are loaded apart from every other call."""
        if not self.markets:
            raise Unprepared("the contracts are not known yet")
        return self.markets

    def set_last_rest_request_timestamp(self) -> None:
        """Not kept: it would use up a stamp."""

    def milliseconds(self) -> int:
        return self._line.now_ms()

    def seconds(self) -> int:
        return self._line.now_ms() // 1000

    def microseconds(self) -> int:
        return self._line.now_ms() * 1000

    def throw_exactly_matched_exception(self, exact: Any, string: Any, message: Any) -> None:
        try:
            super().throw_exactly_matched_exception(exact, string, message)
        except sdk_errors.BaseError as error:
            error.exact_code = str(string)
            raise

    async def initialize_client(self, *_: Any) -> bool:
        """Some exchanges' classes approve fees and referrers here, with the user's signature."""
        return True

    async def fetch2(
        self, path: Any, api: Any = "public", method: str = "GET", params: Any = None, config: Any = None
    ) -> Any:
        line, cost = self._line, self.calculate_rate_limiter_cost(api, method, path, params or {}, config or {})
        lease = await line.take_room(cost)
        # From here to the transport nothing waits: the room, the stamp and the request belong together.
        try:
            return await super().fetch2(path, api, method, line.allowed(params), config or {})
        finally:
            line.give_back(lease)

    async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        response = await self._line.send(url, method, headers, body)
        text = response.body.decode(errors="replace")
        try:
            parsed = document(response.body, texts=True) if text.strip() else None
        except Malformed:
            parsed = None
        good = self._line.answered(parsed)
        arguments: tuple[Any, ...] = (response.status, "", url, method, dict(response.headers), text, parsed, {}, body)
        try:
            self.handle_errors(*arguments)
        except sdk_errors.RateLimitExceeded:
            self._line.rest(pause_s(response.headers.get("retry-after")))
            raise
        except sdk_errors.BaseError as error:
            if isinstance(error, sdk_errors.InvalidNonce):
                self._line.doubt_time()
            self._look_closer(error, parsed)
            raise
        try:
            if response.status >= 300:
                self.handle_http_status_code(response.status, "", "", method, "")
            if parsed is None or response.status >= 300 or not good:
                raise sdk_errors.BadResponse(f"HTTP {response.status} without a usable body")
        except sdk_errors.BaseError as error:
            self._look_closer(error, parsed)
            raise
        return parsed

    def _look_closer(self, error: Any, parsed: Any) -> None:
        """Gives an error its code where ccxt's table has none for it, or the code of the one order it is about."""
        if not isinstance(parsed, dict):
            return
        facts, rows = self._line.facts, parsed.get("data")
        code = str(next((parsed[name] for name in ("code", "retCode") if parsed.get(name)), ""))
        one = rows[0] if isinstance(rows, list) and len(rows) == 1 and isinstance(rows[0], dict) else {}
        if code in facts.outer_codes and one.get("code") and not one.get("orderId"):
            code = str(one["code"])
            self.throw_exactly_matched_exception(self.exceptions["exact"], code, str(error))
        error.told_code = code
        if facts.means.get(code) == "InvalidNonce":
            self._line.doubt_time()
        if code in facts.means:
            error.exact_code = code


@cache
def exchange_class(exchange: str) -> Any:
    """The class of one exchange; raises `ConfigError` where ccxt has none of that name."""
    if exchange not in sdk.exchanges:
        raise ConfigError("credentials.json: accounts[].venue", f"neither the engine nor ccxt knows {exchange!r}")
    return type(f"Wired_{exchange}", (_Wired, getattr(sdk, exchange)), {})


def moved(urls: Any, base_url: str) -> Any:
    """The same tree of addresses at another host; what follows the host stays."""
    if isinstance(urls, dict):
        return {name: moved(inner, base_url) for name, inner in urls.items()}
    return base_url.rstrip("/") + urlsplit(str(urls)).path


def linear_only(options: dict[str, Any]) -> None:
    """Markets of other kinds are not asked for, where ccxt lets one choose."""
    choice = options.get("fetchMarkets")
    more = choice if isinstance(choice, dict) else {}
    types = more.get("types") if more else choice
    if isinstance(types, list) and KEEP.intersection(types):
        kept = [one for one in types if one in KEEP]
        options["fetchMarkets"] = {**more, "types": kept} if more else kept
    elif isinstance(types, dict) and KEEP.intersection(types):
        options["fetchMarkets"] = {**more, "types": {one: of for one, of in types.items() if one in KEEP}}


def feature(made: Any, method: str, name: str) -> Any:
    """What ccxt states of a method for linear perpetuals; None where it states nothing."""
    return made.feature_value_by_type("swap", "linear", method, name)
