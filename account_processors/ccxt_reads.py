"""What is read at an exchange of ccxt besides orders: contracts and prices, an account's positions and modes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from account_processors.ccxt_client import CcxtClient
from account_processors.codecs import ccxt as codec
from account_processors.codecs.wire import Row, epoch_s, table
from account_processors.reading import together, usable
from core.domain import Instrument, MarginMode, MarginModeScope, PositionMode, Price, Symbol
from core.errors import Unavailable

MARKETS = "markets"
MARKETS_MAX_AGE_S = 3600.0


@dataclass(frozen=True, slots=True)
class Markets:
    """`source`: the ccxt object that holds them, from which those of the accounts take them."""

    source: Any
    by_name: Mapping[str, Row]
    listed: codec.Listed


class CcxtReads:
    """Of one account: `client` has its key, `public` none."""

    def __init__(self, client: CcxtClient, public: CcxtClient) -> None:
        self._client = client
        self._public = public
        self._shared = client.wiring.shared
        self._facts = client.facts

    def at_hand(self) -> Markets | None:
        """The contracts as they were last read, whenever that was."""
        known: Markets | None = self._shared.peek(MARKETS)
        return known

    async def markets(self) -> Markets:
        """The exchange's contracts, asked for once an hour for all accounts; ours are then the same."""
        found = await self._shared.once(MARKETS, MARKETS_MAX_AGE_S, self._load)
        if self._client.sdk.markets is not found.source.markets:
            self._client.sdk.set_markets_from_exchange(found.source)
        return found

    async def _load(self) -> Markets:
        sdk = self._public.sdk
        sdk.set_markets(await self._public.read(self._facts.markets))
        tiers: Mapping[str, Decimal] = {}
        with usable(self._client.place("fetch_markets")):
            unstated = any(codec.is_ours(one) and not codec.states_leverage(one) for one in sdk.markets.values())
        if unstated and self._public.has("fetchLeverageTiers"):
            rows = await self._public.read("fetch_leverage_tiers")
            with usable(self._client.place("fetch_leverage_tiers")):
                tiers = codec.highest(rows)
        with usable(self._client.place("fetch_markets")):
            listed = codec.listed(sdk.markets.values(), sdk.precisionMode, tiers)
        return Markets(sdk, dict(sdk.markets), listed)

    async def names(self) -> Mapping[str, Symbol]:
        listed = (await self.markets()).listed
        return {instrument.venue_symbol: symbol for symbol, instrument in listed.instruments.items()}

    async def instrument(self, symbol: Symbol) -> Instrument:
        """Raises `Unavailable` for a symbol that is not listed, or of which ccxt does not state enough."""
        listed = (await self.markets()).listed
        if (found := listed.instruments.get(symbol)) is not None:
            return found
        why = listed.left_out.get(symbol, "it is not listed")
        raise Unavailable(f"{self._client.exchange} {symbol}: {why}; leave it out of this account's symbols")

    async def probe(self) -> Instrument:
        """Any contract, better one that is traded. Raises `Unavailable` where there is none."""
        listed = (await self.markets()).listed
        found = sorted(listed.instruments.values(), key=lambda one: (not one.tradable, one.symbol))
        if not found:
            why = next(iter(listed.left_out.values()), "none is listed")
            raise Unavailable(f"{self._client.exchange} has no contract that can be traded through ccxt ({why})")
        return found[0]

    async def position_rows(self) -> tuple[list[Row], float, float]:
        """Every position as ccxt has it, and when it was asked; one read for all who ask in the same turn."""

        async def fetch(_: frozenset[str]) -> Mapping[str, tuple[list[Row], float, float]]:
            found, call = await self._client.timed("fetch_positions")
            with usable(self._client.place("fetch_positions")):
                rows = [table(row, "a position") for row in found]
            if not codec.whole(rows, self._facts.positions_page, self._facts.proven):
                raise Unavailable(f"{self._client.exchange} fetch_positions: {len(rows)} rows may be the first of more")
            return {"all": (rows, call.sent_at, call.received_at)}

        await self.markets()
        name = f"positions of {self._client.wiring.owner}"
        return (await self._shared.batch(name, ["all"], fetch, everything_above=0, fresh=True))["all"]

    async def of_settle(self, rows: list[Row], settle: str) -> list[Row]:
        known = (await self.markets()).by_name
        return [row for row in rows if known.get(str(row.get("symbol")), {}).get("settle") == settle]

    async def learn_time(self) -> None:
        """From the exchange's clock, where ccxt reads it."""
        if not self._client.has("fetchTime"):
            return
        clock = self._client.wiring.clock
        sent_at = clock.monotonic()
        told = await self._client.read("fetch_time")
        with usable(self._client.place("fetch_time")):
            self._client.venue_clock.learn(epoch_s({"time": told}, "time"), sent_at, clock.monotonic())

    async def position_mode(self, probe: Instrument) -> PositionMode | None:
        """None where ccxt does not tell."""
        method: tuple[str, ...] = ()
        if self._client.has("fetchPositionMode"):
            method = ("fetch_position_mode", probe.venue_symbol)
        elif self._client.has("fetchPosition"):
            method = ("fetch_position", probe.venue_symbol)
        if not method:
            rows = [row for row in (await self.position_rows())[0] if isinstance(row.get("hedged"), bool)]
            return codec.position_mode(rows[0]) if rows else None
        try:
            row = await self._client.read(*method)
        except Unavailable:
            if self._facts.proven or method[0] == "fetch_position_mode":
                raise
            return None  # there may be no position to look at, and elsewhere nothing tells
        if not isinstance(row, dict) or not isinstance(row.get("hedged"), bool):
            return None
        return codec.position_mode(row)

    async def account_margin_mode(self, probe: Instrument) -> MarginMode | None:
        """That of the whole account; None where each symbol or order has its own, or ccxt reads none."""
        if self._facts.margin_mode is not MarginModeScope.ACCOUNT:
            return None
        if not self._client.has("fetchMarginMode"):
            return None
        row = await self._client.read("fetch_margin_mode", probe.venue_symbol)
        with usable(self._client.place("fetch_margin_mode")):
            return codec.margin_mode(row)

    async def mode_words(self, mode: MarginMode | None, name: str) -> dict[str, Any]:
        """The `params` that say for which margin mode a leverage is meant, where the exchange wants to know."""
        if not self._facts.order_says_margin_mode:
            return {}
        if mode is None:
            row = await self._client.read("fetch_margin_mode", name)
            with usable(self._client.place("fetch_margin_mode")):
                mode = codec.margin_mode(row)
        return {"marginMode": mode.value}

    async def quoted(self, symbols: frozenset[str]) -> Mapping[str, Price]:
        listed = (await self.markets()).listed.instruments
        wanted = {listed[Symbol(symbol)].venue_symbol: Symbol(symbol) for symbol in symbols if symbol in listed}
        if not wanted:
            return {}
        names, client = [*wanted], self._public
        calls = [client.timed("fetch_tickers", names)]
        if not self._facts.proven and client.has("fetchMarkPrices"):
            calls.append(client.timed("fetch_mark_prices", names))
        (tickers, call), *marks = await together(*calls)
        with usable(client.place("fetch_tickers")):
            by_name = table(tickers, "tickers")
            marked = table(marks[0][0], "mark prices") if marks else {}
            found = [
                codec.price(symbol, by_name[name], marked.get(name), call.received_at)
                for name, symbol in wanted.items()
                if isinstance(by_name.get(name), dict)
            ]
        return {one.symbol: one for one in found if one is not None}
