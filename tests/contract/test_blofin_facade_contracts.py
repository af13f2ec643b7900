"""The simulated BloFin's list of contracts."""

from __future__ import annotations

from simulator.instruments import load_listings


def test_contracts_have_sources_and_are_many() -> None:
    listings = load_listings("blofin")
    assert len(listings) >= 25
    assert all(listing.source for listing in listings)
    assert {it.symbol for it in listings if not it.generated} == {"BTCUSDT", "ETHUSDT", "LTCUSDT", "ADAUSDT"}
    assert all(it.instrument.venue_symbol.replace("-", "") == it.symbol for it in listings)
