"""The explanation of one account and symbol as lines for people, from the same object `--json` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cli.reading import instant
from cli.status import ago

Json = Mapping[str, Any]
WIDTH = 13
RAW_SHOWN = 200
MODES = {"full": "", "downward": ", downward only", "closed": ", closed by the user"}
KINDS = {
    "SIZED": "sized",
    "ADOPTED": "adopted",
    "CLOSED_BY_USER": "closed",
    "SNAPSHOT": "sized, then compacted",
    None: "sized",
}


def account_lines(symbol: str, account: str, found: Json, now: float) -> Iterator[str]:
    scale = "" if found["scale"] in (None, "1") else f", scale {found['scale']}"
    yield f"{symbol} on {account} ({found['mode'] or 'not configured any more'}{scale})"
    if found["journal"]["problem"]:
        yield row("journal", found["journal"]["problem"])
    for source in found["sources"]:
        yield from source_lines(source, now)
    yield from wanted_lines(found["wanted"])
    yield from generation_lines(found["generation"], found["venue"], now)
    yield from due_lines(found["due"], now)
    yield from venue_lines(found["venue"])
    for limit in found["limits"]:
        yield limit_line(limit)
    for hold in found["holds"]:
        until = f", until {hold['until']}" if hold["until"] else ""
        yield row("hold", f"{hold['state']} ({hold['scope']}{until}): {hold['because']}")
    yield from position_lines(found["position"], found["intents"], now)
    yield from state_lines(found, now)


def row(name: str, words: str) -> str:
    return f"  {name:<{WIDTH}}{words}"


def aged(at: str | None, now: float) -> str:
    """`2026-11-20T09:12:44.123Z (4 min ago)`."""
    moment = instant(at)
    return "at an unknown time" if moment is None else f"{at} ({ago(now - moment)} ago)"


def source_lines(source: Json, now: float) -> Iterator[str]:
    mapping = f"{source['own_symbol']}" if source["own_symbol"] else "no mapping"
    signal = source["signal"]
    if signal is None:
        yield row("signal", f"{source['source']} {mapping}: {source['because'] or 'nothing said'}")
    else:
        extra = [f"{name} {signal[name]}" for name in ("leverage", "price") if signal[name]]
        said = ", ".join([f"depth {signal['depth']}", *extra, f"said {aged(signal['timestamp'], now)}"])
        yield row("signal", f"{source['source']} {mapping}: {said}")
        yield from raw_lines(signal["raw"])
    taken, takes = source["taken"], source["takes"]
    asks = f"{signal['depth']} x {source['weight']} = {source['present']}" if source["present"] else "says nothing now"
    if signal is not None and source["present"] is None:
        asks = f"{signal['depth']}, weight {source['weight']}"
    held = "nothing" if taken is None else f"{taken['contribution']}{MODES[taken['mode']]}"
    words = f"{source['source']}: {asks}; taken {held}"
    if takes is not None and takes != taken:
        words += f", to be taken {takes['contribution']}{MODES[takes['mode']]}"
    if source["frozen"]:
        words += ", FROZEN"
    yield row("contribution", words + (f": {source['because']}" if source["because"] else ""))


def raw_lines(raw: Json | None) -> Iterator[str]:
    if raw is not None:
        line = raw["text"] if raw["text"] is not None else raw["because"]
        yield row("", f"{raw['file']}:{raw['line']}  {line[:RAW_SHOWN]}{'…' if len(line) > RAW_SHOWN else ''}")


def wanted_lines(wanted: Json | None) -> Iterator[str]:
    if wanted is None:
        yield row("depth", "not configured for this account any more: held as it is")
        return
    if wanted["depth"] is None:
        yield row("depth", wanted["because"])
        return
    yield row("depth", f"{wanted['depth']} of equity: {wanted['because']}")
    signals = ", ".join(f"{source} {leverage}" for source, leverage in wanted["leverage_signals"].items())
    parts = [f"configured {wanted['leverage_configured']}", f"signals: {signals or 'none carries one'}"]
    parts += [f"leverage_from {wanted['leverage_from']}", f"max_leverage {wanted['max_leverage']}"]
    yield row("leverage", f"{wanted['leverage']}x, bound by {wanted['leverage_bound']} ({'; '.join(parts)})")
    for name in ("held", "reduce_only"):
        if wanted[name]:
            yield row(name.replace("_", " "), wanted[name])


def generation_lines(generation: Json | None, venue: Json | None, now: float) -> Iterator[str]:
    if generation is None:
        yield row("generation", "none: nothing was ever sized here")
        return
    words = f"{generation['number']}, {KINDS.get(generation['kind'], 'sized')} {aged(generation['at'], now)}"
    yield row("generation", words + (", waits for its size" if generation["waits_for_its_size"] else ""))
    if generation["equity"] or generation["price"]:
        currency = f" {venue['settle']}" if venue else ""
        yield row("figures", f"equity {generation['equity']}{currency}, mark price {generation['price']}, both of then")
    total = generation["sum"]
    if total is not None and venue is not None:
        yield row(
            "size",
            f"{generation['equity']} x {generation['depth']} = {total['margin']} margin x {generation['leverage']}"
            f" = {total['notional']} {venue['settle']} / {generation['price']} = {total['quantity']} {venue['base']}",
        )
        yield row(
            "rounding",
            f"/ contract size {venue['contract_size']} = {total['contracts_before_rounding']} contracts,"
            f" toward zero to the lot {venue['lot']} = {total['contracts']}",
        )
    base = f" ({generation['quantity']} {venue['base']})" if generation["quantity"] and venue else ""
    yield row(
        "stored", f"{generation['contracts']} contracts{base} at {generation['leverage']}x: {generation['because']}"
    )
    again = generation["recomputed"]
    if again is not None and not again["equal"]:
        yield row("", f"today's settings make {again['contracts']} of the same figures; what is stored stands")


def due_lines(due: Json | None, now: float) -> Iterator[str]:
    if due is None:
        return
    contracts = "waits" if due["contracts"] is None else f"{due['contracts']} contracts"
    yield row("due", f"a new size: {contracts} at the latest figures in the files: {due['because']}")
    equity, price = aged(due["equity_at"], now), aged(due["price_at"], now)
    yield row("", f"equity {due['equity']} of {equity}, price {due['price']} of {price}; the engine reads newer ones")


def venue_lines(venue: Json | None) -> Iterator[str]:
    if venue is None:
        yield row("venue", "its rules are not known here: the engine has not read this contract yet")
        return
    least = f"minimum {venue['min_contracts']} contracts"
    if venue["min_notional"] != "0":
        least += f" and {venue['min_notional']} {venue['settle']}"
    most = f"maximum {venue['max_contracts']} (market orders {venue['max_market_contracts']}), larger ones in parts"
    words = f"{venue['venue_symbol']}: lot {venue['lot']}, tick {venue['tick']}, {least}, {most}"
    yield row("venue", f"{words}, up to {venue['max_leverage']}x{'' if venue['tradable'] else ', NOT TRADED NOW'}")


def limit_line(limit: Json) -> str:
    asked = "" if limit["asked"] is None else f", asked now {limit['asked']}"
    return row("limit", f"{limit['limit']} {limit['value'] or 'not known: no equity yet'}{asked} ({limit['rule']})")


def position_lines(position: Json, intents: list[Json], now: float) -> Iterator[str]:
    stored, baseline = in_both(position, "stored"), in_both(position, "baseline")
    verified = f"generation {position['verified_generation']} verified {aged(position['verified_at'], now)}"
    yield row(
        "position", f"stored {stored}, baseline {baseline}, {verified if position['verified_at'] else 'not verified'}"
    )
    if position["drift"]:
        yield row("drift", position["drift"])
    for intent in intents:
        kind = "reduce-only " if intent["reduce_only"] else ""
        yield row(
            "order",
            f"{intent['client_id']} {intent['state']}: {kind}{intent['side']} {intent['contracts']} contracts, sent "
            f"{aged(intent['prepared_at'], now)}; its outcome is being looked up",
        )
    if not intents:
        yield row("orders", "none without a known outcome")


def in_both(position: Json, name: str) -> str:
    contracts, quantity = position[name], position[f"{name}_quantity"]
    return "none" if contracts is None else f"{contracts} contracts" + (f" ({quantity})" if quantity else "")


def state_lines(found: Json, now: float) -> Iterator[str]:
    account = found["account"]
    if found["at"] is None:
        yield row("state", "the engine has said nothing of this account yet")
        return
    if account["state"] != "OK" or account["because"]:
        yield row(
            "account", f"{account['state']}: {account['because']}" if account["because"] else f"{account['state']}"
        )
    equity = found["equity"]["value"]
    actual = found["position"]["actual_quantity"]
    yield row("read", f"equity {equity or 'not known'}, actual {actual or 'not known'}, {aged(found['at'], now)}")
    yield row("state", f"{found['state']}: {found['because']}" if found["state"] else "not among the account's symbols")
