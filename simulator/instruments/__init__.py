"""Loads a venue's listings from `<venue>.json`: numeric facts with their source, and further symbols made by rule.

    {"venue": "bybit", "source": "where the facts of `listings` come from",
     "listings":  [{"symbol": "BTCUSDT", "venue_symbol": "BTCUSDT", "base": "BTC", "quote": "USDT", "settle": "USDT",
                    "contract_size": "1", "lot": "0.001", "tick": "0.1", "min_contracts": "0.001",
                    "max_contracts": "1190", "max_market_contracts": "500", "min_notional": "5", "max_leverage": "100",
                    "price": "64000"}],
     "rule":      {"venue_symbol": "{base}{quote}", "quote": "USDT", "settle": "USDT", "min_notional": "5",
                   "max_leverage": "50"},
     "generated": {"TAOUSDT": {"base": "TAO", "price": "420"}}}

A listing may also carry `source`, `maintenance_rate`, `funding_rate`, `min_leverage` and `leverage_step`. With `"lot"`
in the rule, generated contracts are whole lots of a contract size made from the price; without it that size is 1. With
`"decimals"` in the rule, lot and tick have so many decimals together; without it a price has five digits. No generated
lot is above the rule's `"largest_lot"`.
A generated symbol may override the rule's `venue_symbol`, `quote` and `settle`; what else stands beside a listing (the
figures only its venue shows) is the facade's.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path

from core.domain import Instrument, Symbol, floor_to
from core.errors import ConfigError
from simulator.model import Listing
from simulator.strict import loads

FOLDER = Path(__file__).resolve().parent
ONE = Decimal(1)
LOT_NOTIONAL = Decimal(5)
"""A generated lot is the power of ten worth at most this many units of the quote currency."""
TICK_DIGITS = 4
"""A generated price has this many digits after its first."""
MAX_NOTIONAL, MAX_MARKET_NOTIONAL = Decimal(2_000_000), Decimal(500_000)


def load_listings(venue: str, folder: Path = FOLDER) -> tuple[Listing, ...]:
    """The venue's listings, real ones first, in file order. Raises `ConfigError`, `FileNotFoundError`."""
    path = folder / f"{venue}.json"
    file = _Fields(path.name, loads(path.read_bytes(), path.name))
    if file.text("venue") != venue:
        raise ConfigError(f"{path.name}: venue", f"is {file.text('venue')}, expected {venue}")
    source = file.text("source")
    listed = file.value("listings")
    if not isinstance(listed, list):
        raise ConfigError(f"{path.name}: listings", "is not a list")
    real = [_real(_Fields(f"{path.name}: listings[{n}]", entry), source) for n, entry in enumerate(listed)]
    made = []
    if "generated" in file.fields:
        rule = _Fields(f"{path.name}: rule", file.value("rule"))
        names = _Fields(f"{path.name}: generated", file.value("generated"))
        entries = {symbol: _Fields(f"{names.where}.{symbol}", names.value(symbol)) for symbol in names.fields}
        made = [_generated(symbol, entry, rule) for symbol, entry in entries.items()]
    symbols = [listing.symbol for listing in (*real, *made)]
    if len(set(symbols)) != len(symbols):
        raise ConfigError(path.name, "lists a symbol twice")
    return (*real, *made)


class _Fields:
    """A JSON object being read, which knows where it stands."""

    def __init__(self, where: str, value: object) -> None:
        if not isinstance(value, dict):
            raise ConfigError(where, "is not an object")
        self.where = where
        self.fields: Mapping[str, object] = value

    def value(self, name: str) -> object:
        if name not in self.fields:
            raise ConfigError(f"{self.where}: {name}", "is missing")
        return self.fields[name]

    def text(self, name: str, default: str | None = None) -> str:
        value = self.value(name) if default is None else self.fields.get(name, default)
        if not isinstance(value, str) or not value:
            raise ConfigError(f"{self.where}: {name}", "is not a text")
        return value

    def number(self, name: str, default: Decimal | None = None) -> Decimal:
        """A number above 0, written as a text."""
        if default is not None and name not in self.fields:
            return default
        try:
            number = Decimal(self.text(name))
        except InvalidOperation:
            number = Decimal(0)
        if not number.is_finite() or number <= 0:
            raise ConfigError(f"{self.where}: {name}", "is not a number above 0, written as a text")
        return number


def _real(entry: _Fields, source: str) -> Listing:
    instrument = Instrument(
        symbol=Symbol(entry.text("symbol")),
        venue_symbol=entry.text("venue_symbol"),
        base=entry.text("base"),
        quote=entry.text("quote"),
        settle=entry.text("settle"),
        contract_size=entry.number("contract_size"),
        lot=entry.number("lot"),
        tick=entry.number("tick"),
        min_contracts=entry.number("min_contracts"),
        max_contracts=entry.number("max_contracts"),
        max_market_contracts=entry.number("max_market_contracts"),
        min_notional=entry.number("min_notional"),
        max_leverage=entry.number("max_leverage"),
    )
    return Listing(
        instrument,
        price=entry.number("price"),
        source=entry.text("source", source),
        maintenance_rate=entry.number("maintenance_rate", Decimal("0.005")),
        funding_rate=entry.number("funding_rate", Decimal("0.0001")),
        min_leverage=entry.number("min_leverage", ONE),
        leverage_step=entry.number("leverage_step", Decimal("0.01")),
    )


def _generated(symbol: str, entry: _Fields, rule: _Fields) -> Listing:
    """A listing whose sizes follow from its price: a lot worth 0.5 to 5, a price of five digits, bounded orders."""
    base, price = entry.text("base"), entry.number("price")
    quote = entry.text("quote", rule.text("quote"))
    step = ONE.scaleb((LOT_NOTIONAL / price).adjusted())
    step = min(step, rule.number("largest_lot", step))
    lot = rule.number("lot", step)
    contract_size = step / lot if "lot" in rule.fields else ONE
    per_contract = contract_size * price
    instrument = Instrument(
        symbol=Symbol(symbol),
        venue_symbol=entry.text("venue_symbol", rule.text("venue_symbol")).format(base=base, quote=quote),
        base=base,
        quote=quote,
        settle=entry.text("settle", rule.text("settle")),
        contract_size=contract_size,
        lot=lot,
        tick=_tick(rule, lot, price),
        min_contracts=lot,
        max_contracts=floor_to(MAX_NOTIONAL / per_contract, lot),
        max_market_contracts=floor_to(MAX_MARKET_NOTIONAL / per_contract, lot),
        min_notional=rule.number("min_notional"),
        max_leverage=rule.number("max_leverage"),
    )
    return Listing(
        instrument, price, source="generated by rule from the price", generated=True, maintenance_rate=Decimal("0.01")
    )


def _tick(rule: _Fields, lot: Decimal, price: Decimal) -> Decimal:
    if "decimals" in rule.fields:
        return ONE.scaleb(-int(rule.number("decimals")) - lot.adjusted())
    return ONE.scaleb(price.adjusted() - TICK_DIGITS)
