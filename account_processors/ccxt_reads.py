"""What is read at an exchange of ccxt besides orders: contracts and prices, an account's positions and modes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from account_processors.ccxt_client import CcxtClient
from account_processors.codecs import ccxt as codec
from account_processors.codecs.wire import Malformed, Row, table
from account_processors.reading import together, usable
from core.domain import Instrument, MarginMode, MarginModeScope, PositionMode, Price, Symbol
from core.errors import Unavailable

MARKETS = "instruments"
MARKETS_MAX_AGE_S = 3600.0
MARGIN_MODE_MAX_AGE_S = 60.0


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
        self._last: Markets | None = None
        self._mode_key = f"margin mode of {client.wiring.owner}"

    def at_hand(self) -> Markets | None:
        """The contracts as they were last read, whenever that was."""
        return self._last

    async def markets(self) -> Markets:
        """The exchange's contracts, asked for once an hour for all accounts; ours are then the same."""
        found = await self._shared.once(MARKETS, MARKETS_MAX_AGE_S, self._load)
        for one in (self._client.sdk, self._public.sdk):
            if one.markets is not found.source.markets:
                one.set_markets_from_exchange(found.source)
        self._last = found
        return found

    async def ready(self) -> Markets:
        """The contracts as they were last read: what is asked often does not wait for the hourly list."""
        return self._last or await self.markets()

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
            listed = codec.listed(sdk.markets.values(), sdk.precisionMode, tiers, self._facts.own_tradable)
        return Markets(sdk, dict(sdk.markets), listed)

    async def names(self) -> Mapping[str, Symbol]:
        listed = (await self.ready()).listed
        return {instrument.venue_symbol: symbol for symbol, instrument in listed.instruments.items()}

    async def instrument(self, symbol: Symbol) -> Instrument:
        """Raises `Unavailable` for a symbol that is not listed, or of which ccxt does not state enough."""
        listed = (await self.ready()).listed
        if (found := listed.instruments.get(symbol)) is not None:
            return found
        why = listed.left_out.get(symbol, "it is not listed")
        raise Unavailable(f"{self._client.exchange} {symbol}: {why}; leave it out of this account's symbols")

    async def probe(self) -> Instrument:
        """Any contract, better one that is traded. Raises `Unavailable` where there is none."""
        listed = (await self.ready()).listed
        found = sorted(listed.instruments.values(), key=lambda one: (not one.tradable, one.symbol))
        if not found:
            why = next(iter(listed.left_out.values()), "none is listed")
            raise Unavailable(f"{self._client.exchange} has no contract that can be traded through ccxt ({why})")
        return found[0]

    async def position_rows(self) -> tuple[list[Row], float, float]:
        """Every position as ccxt has it, and when it was asked; one read for all who ask in the same turn."""

        async def fetch(_: frozenset[str]) -> Mapping[str, tuple[list[Row], float, float]]:
            rows, call = await self._client.listing("fetch_positions")
            if not codec.whole(rows, self._facts.positions_page, self._facts.proven):
                raise Unavailable(f"{self._client.exchange} fetch_positions: {len(rows)} rows may be the first of more")
            return {"all": (rows, call.sent_at, call.received_at)}

        await self.ready()
        name = f"positions of {self._client.wiring.owner}"
        return (await self._shared.batch(name, ["all"], fetch, everything_above=0, fresh=True))["all"]

    async def of_settle(self, rows: list[Row], settle: str) -> list[Row]:
        known = (await self.ready()).by_name
        return [row for row in rows if known.get(str(row.get("symbol")), {}).get("settle") == settle]

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

    async def account_margin_mode(self, probe: Instrument, fresh: bool = False) -> MarginMode | None:
        """That of the whole account; None where each symbol or order has its own, or ccxt reads none."""
        if self._facts.margin_mode is not MarginModeScope.ACCOUNT or not self._client.has("fetchMarginMode"):
            return None

        async def fetch() -> MarginMode:
            return await self._margin_mode_of(probe.venue_symbol)

        age_s = 0.0 if fresh else MARGIN_MODE_MAX_AGE_S
        return await self._shared.once(self._mode_key, age_s, fetch)

    async def margin_mode(self, instrument: Instrument) -> MarginMode | None:
        """As it holds for one contract, wherever it is kept; None where orders say it, or ccxt reads none."""
        if self._facts.margin_mode is MarginModeScope.ACCOUNT:
            return await self.account_margin_mode(instrument)
        if self._facts.margin_mode is MarginModeScope.SYMBOL and self._client.has("fetchMarginMode"):
            return await self._margin_mode_of(instrument.venue_symbol)
        return None

    def forget_margin_mode(self) -> None:
        self._shared.forget(self._mode_key)

    async def _margin_mode_of(self, name: str) -> MarginMode:
        row = await self._client.read("fetch_margin_mode", name)
        with usable(self._client.place("fetch_margin_mode")):
            return codec.margin_mode(row)

    async def mode_words(self, mode: MarginMode | None, name: str) -> dict[str, Any]:
        """The `params` that say for which margin mode a leverage is meant, where the exchange wants to know."""
        if not self._facts.order_says_margin_mode:
            return {}
        return {"marginMode": (mode or await self._margin_mode_of(name)).value}

    async def quoted(self, symbols: frozenset[str]) -> Mapping[str, Price]:
        listed = (await self.ready()).listed.instruments
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
            if not by_name:
                raise Malformed("no ticker at all")
            marked = table(marks[0][0], "mark prices") if marks else {}
            found = [
                codec.price(symbol, by_name[name], marked.get(name), call.received_at, self._facts.own_mark)
                for name, symbol in wanted.items()
                if isinstance(by_name.get(name), dict)
            ]
        return {one.symbol: one for one in found if one is not None}
