"""What people, signal processors and other programs do: to files, to positions, to accounts on the venue.

Each function does one thing to a story and says what. What somebody has to undo later, the story undoes at the latest
when everything is mended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from chaos.asked import Voice
from chaos.parts import Seat
from chaos.scene import BITTENSOR
from chaos.story import Story
from core.domain import SourceName, Symbol, floor_to, plain
from simulator.ledger import positions

STRANGERS_AFTER_CYCLES = 3
CONFIG_SETTLED_S = 12.0
"""So long after an edit, a start or a fault of its disk the engine has taken an edit over, and kept a copy of it."""
Happening = Callable[[Story], None]


def some_symbol(story: Story) -> Symbol:
    return story.chance.choice(story.scene.symbols)


def some_seat(story: Story) -> Seat:
    return story.chance.choice(story.house.seats)


def soon(story: Story) -> float:
    """How long something lasts that somebody will undo."""
    return story.chance.choice((1.0, 4.0, 15.0, 45.0))


# --- switches and commands --------------------------------------------------------------------------------------------


def halt(story: Story) -> None:
    word = story.chance.choice(("HALT_INCREASES", "", "what?", "FLATTEN", "FLATTEN_ALL"))
    story.house.files.halt(word)
    story.house.asked.halted = True
    if word.startswith("FLATTEN"):
        story.doubt(*story.places())
    story.happened("halt", f"HALT says {word!r}")
    story.later(soon(story), "HALT is lifted", story.lift_halt)


def close(story: Story) -> None:
    seat, symbol = some_seat(story), some_symbol(story)
    story.doubt((seat.account, symbol))
    story.house.files.ask("close", seat.account, symbol)
    story.happened("close", f"./run close {seat.account} {symbol}", seat.venue)


def resync(story: Story) -> None:
    seat = some_seat(story)
    symbol = story.chance.choice((*story.scene.symbols, "*"))
    story.house.files.ask("resync", seat.account, symbol)
    story.happened("resync", f"./run resync {seat.account} {symbol}", seat.venue)


def adopt(story: Story) -> None:
    seat, symbol = some_seat(story), some_symbol(story)
    story.adopt((seat.account, symbol))
    story.happened("adopt", f"./run adopt {seat.account} {symbol}", seat.venue)


# --- configuration ----------------------------------------------------------------------------------------------------


def edit_weights(story: Story) -> None:
    """A valid edit: another weight, sometimes another leverage, sometimes a symbol taken out for a while."""
    asked, symbol = story.house.asked, some_symbol(story)
    shares = asked.weights.get(symbol)
    if shares is None:
        return
    if story.chance.random() < 0.2 and len(asked.weights) > 1:
        del asked.weights[symbol]
        story.later(soon(story), f"{symbol} is put back into the weights", lambda: story.put_back(symbol, shares))
    else:
        source = story.chance.choice(list(shares))
        most = story.scene.weights[symbol][source]
        shares[source] = (most * story.chance.choice((0, 1, 2, 3, 4)) / 4).quantize(Decimal("0.0001"))
        if story.scene.leverage_change != "when_flat" and story.chance.random() < 0.3:
            asked.leverages[symbol] = Decimal(story.chance.choice((1, 2, 3, 5)))
    story.write_weights()
    story.happened("edit", f"weights edited: {symbol} {_shown(asked.weights.get(symbol))}")


def _shown(shares: Mapping[SourceName, Decimal] | None) -> str:
    return "removed" if shares is None else " ".join(f"{source}={plain(weight)}" for source, weight in shares.items())


def edit_account(story: Story) -> None:
    """An account's scale or mode."""
    seat, asked = some_seat(story), story.house.asked
    if story.chance.random() < 0.5:
        asked.scales[seat.account] = Decimal(story.chance.choice(("0.5", "0.25", "1")))
        story.accounts.setdefault(seat.account, {})["scale"] = plain(asked.scales[seat.account])
    else:
        mode = story.chance.choice(("close_only", "disabled", "dry_run"))
        story.doubt(*story.places(account=seat.account))
        story.accounts.setdefault(seat.account, {})["mode"] = mode
        asked.closing.add(seat.account)
        story.later(soon(story), f"{seat.account} is live again", lambda: story.live_again(seat.account))
    story.write_engine()
    story.happened("edit", f"{seat.account} edited: {story.accounts[seat.account]}", seat.venue)


def broken_edit(story: Story) -> None:
    """An edit that is no valid set: the last good one stays in force."""
    home, files, chance = story.house.home, story.house.files, story.chance
    if not story.config_settled(CONFIG_SETTLED_S):
        return
    path = chance.choice((home.signal_weights, home.engine_config, home.asset_mapping))
    whole = files.read(path) or b""
    kind = chance.choice(("cut", "empty", "garbled", "gone"))
    if kind == "gone":
        files.remove(path)
    else:
        cut = whole[: chance.randint(1, max(len(whole) - 3, 1))]
        files.put(path, {"cut": cut, "empty": b"", "garbled": whole.replace(b'"', b"'", 3)}[kind])
    story.happened("broken_edit", f"{path.name} is {kind}")
    story.later(soon(story), f"{path.name} is mended", story.write_all)


# --- sources ----------------------------------------------------------------------------------------------------------


def silence(story: Story) -> None:
    """A source that cannot be read for a while: its document is cut, gone, or its heartbeat stops."""
    source = story.chance.choice(story.scene.sources)
    path = story.house.home.document(source)
    kinds = ("cut", "gone", "heartbeat") if source == BITTENSOR else ("cut", "gone")
    kind = story.chance.choice(kinds)
    if kind == "heartbeat":
        story.mute(source)
    else:
        whole = story.house.files.read(path)
        if whole is None:
            return
        if kind == "gone":
            story.house.files.remove(path)
        else:
            story.house.files.put(path, whole[: story.chance.randint(0, len(whole) - 3)])
        story.house.asked.voices[source] = Voice.SILENT
    story.note()
    story.happened("silent_source", f"{source} cannot be read any more ({kind})")
    lasts_s = story.chance.choice((2.0, 10.0, 60.0))
    story.later(lasts_s, f"{source} is back unchanged", lambda: story.publish(source))


def projections_deleted(story: Story) -> None:
    home, files = story.house.home, story.house.files
    account = some_seat(story).account
    gone = [path.name for path in (home.depths, home.statuses / f"{account}.json") if files.remove(path)]
    if gone:
        story.happened("projections_deleted", f"{' and '.join(gone)} deleted")


# --- on the venue -----------------------------------------------------------------------------------------------------


def imposed(story: Story) -> None:
    """A manual trade, a liquidation or an auto-deleveraging."""
    seat, symbol = some_seat(story), some_symbol(story)
    exchange = story.house.exchange(seat.venue)
    held = Decimal(positions(exchange, exchange.state.accounts[seat.name]).get(symbol, "0"))
    kind = story.chance.choice(("manual", "manual", "liquidation", "adl"))
    begun = story.scene.isolated or story.house.cycles[seat.account] > STRANGERS_AFTER_CYCLES
    if not begun or (kind != "manual" and held == 0):
        return
    instrument = exchange.listing(symbol).instrument
    shares = {"manual": ("0", "0.5", "1.5", "-0.5", "2"), "liquidation": ("0",), "adl": ("0", "0.5", "0.8")}[kind]
    size = held or instrument.contracts_for(Decimal(500), story.house.mark(symbol)) * instrument.contract_size
    lot = instrument.quantity(instrument.lot)
    quantity = floor_to(size * Decimal(story.chance.choice(shares)), lot)
    story.doubt((seat.account, symbol))
    place = {"venue": seat.venue, "account": seat.name, "symbol": symbol}
    story.happened(kind, f"{kind} on {seat.account}: {symbol} {plain(held)} -> {plain(quantity)}", seat.venue)
    story.house.sim.admin.position({**place, "quantity": plain(quantity), "kind": kind})


def account_changed(story: Story) -> None:
    """Something about the account itself, by its owner or the venue; taken back later."""
    seat = some_seat(story)
    place = {"venue": seat.venue, "account": seat.name}
    well = {"position_mode": "one_way", "can_trade": True}
    changes: tuple[dict[str, object], ...] = (
        {"can_trade": False},
        {"position_mode": "hedge"},
        {"leverage": story.chance.choice((1, 4, 7))},
    )
    change = story.chance.choice(changes)
    if "position_mode" in change and seat.venue == "hyperliquid":
        return  # it knows no such thing
    if "leverage" in change:
        if story.scene.leverage_change == "when_flat":
            return
    else:
        back = {name: well[name] for name in change}
        story.later(soon(story), f"{seat.account} is {back} again", lambda: _account(story, {**place, **back}))
    _account(story, {**place, **change})
    story.happened("account_changed", f"{seat.account} is changed on the venue: {change}", seat.venue)


def _account(story: Story, body: Mapping[str, object]) -> None:
    story.house.sim.admin.account(body)


def deposit(story: Story) -> None:
    if story.deposited:
        return
    story.deposited = True
    seat = some_seat(story)
    exchange = story.house.exchange(seat.venue)
    equity = exchange.balance(seat.name).equity * Decimal(story.chance.choice(("1.2", "1.5")))
    story.samples.look()
    _account(story, {"venue": seat.venue, "account": seat.name, "equity": plain(equity)})
    story.samples.look()
    story.happened("deposit", f"{seat.account} has {plain(equity)} now", seat.venue)


def prices(story: Story) -> None:
    """A jump of a few per cent; sometimes mark and last fall apart, so that no price is to be believed."""
    symbol, chance = some_symbol(story), story.chance
    price = story.first_marks[symbol] * Decimal(chance.choice(("0.96", "0.98", "1.02", "1.04")))
    body = {"symbol": symbol, "price": plain(price)}
    apart = chance.random() < 0.4
    if apart:
        back = dict(body)
        body["last"] = plain(price * Decimal("1.08"))
        story.later(soon(story), f"{symbol} has one price again", lambda: _price(story, back))
    _price(story, body)
    story.happened("price_jump", f"{symbol} is at {body['price']}, last {body.get('last', 'the same')}")


def _price(story: Story, body: Mapping[str, object]) -> None:
    story.samples.look()
    story.house.sim.admin.price(body)
    story.samples.look()


MENU: Mapping[Happening, int] = {
    halt: 4,
    close: 2,
    resync: 2,
    adopt: 1,
    edit_weights: 6,
    edit_account: 4,
    broken_edit: 4,
    silence: 5,
    projections_deleted: 3,
    imposed: 6,
    account_changed: 3,
    deposit: 1,
    prices: 3,
}
