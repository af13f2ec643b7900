"""Hyperliquid's accounts: state, leverage, roles, what is left of the requests. Whoever asks is answered.

Source: the documentation's info endpoint, and recorded answers. The address of an API wallet, and any that nobody has,
reads as an account with nothing in it.
"""

from __future__ import annotations

from decimal import Decimal

from core.domain import ZERO, MarginMode
from simulator.facades.hyperliquid.context import Call, Venue, shown
from simulator.facades.hyperliquid.limits import ACTIONS
from simulator.facades.parts import Json, ms
from simulator.model import Listing, PositionView

AGENT_DAYS = 180


def clearinghouse(call: Call) -> Json:
    """Open positions and the money behind them."""
    if call.account is None or call.fields.get("dex"):
        return nobodys_state(call.venue)
    return account_state(call.venue, call.account)


def nobodys_state(venue: Venue) -> Json:
    """As an address is shown that is no account's."""
    return state_of({"accountValue": ZERO, "margin": ZERO}, [], ms(venue.exchange.time()))


def account_state(venue: Venue, account: str) -> Json:
    """As `clearinghouseState` shows it."""
    with venue.lag.positions():
        views = [view for view in venue.exchange.positions(account) if view.contracts]
    balance = venue.exchange.balance(account)
    money = {"accountValue": balance.equity, "margin": balance.initial_margin}
    return state_of(money, [(venue.exchange.listing(view.symbol), view) for view in views], ms(venue.exchange.time()))


def state_of(money: dict[str, Decimal], views: list[tuple[Listing, PositionView]], now_ms: int) -> Json:
    isolated = [view for _, view in views if view.margin_mode is MarginMode.ISOLATED]
    held = sum((abs(view.contracts) * view.mark for _, view in views), ZERO)
    net = sum((view.contracts * view.mark for _, view in views), ZERO)
    aside = sum((view.margin + view.unrealized for view in isolated), ZERO)
    value = money["accountValue"]
    whole = {
        "accountValue": shown(value),
        "totalNtlPos": shown(held),
        "totalRawUsd": shown(value - net),
        "totalMarginUsed": shown(money["margin"]),
    }
    crossed = {**whole, "accountValue": shown(value - aside)} if views else whole
    return {
        "marginSummary": whole,
        "crossMarginSummary": crossed,
        "crossMaintenanceMarginUsed": shown(
            sum((view.maintenance for _, view in views if view.margin_mode is MarginMode.CROSS), ZERO)
        ),
        "withdrawable": shown(max(value - money["margin"], ZERO)),
        "assetPositions": [{"type": "oneWay", "position": position(listing, view)} for listing, view in views],
        "time": now_ms,
    }


def position(listing: Listing, view: PositionView) -> Json:
    edge = view.liquidation_price
    return {
        "coin": listing.instrument.venue_symbol,
        "szi": shown(view.contracts),
        "leverage": leverage_row(view.leverage, view.margin_mode, view),
        "entryPx": shown(view.leg.entry_price),
        "positionValue": shown(abs(view.contracts) * view.mark),
        "unrealizedPnl": shown(view.unrealized),
        "returnOnEquity": shown(view.unrealized / view.margin if view.margin else ZERO),
        "liquidationPx": None if edge is None or edge <= 0 else shown(edge),
        "marginUsed": shown(view.margin),
        "maxLeverage": int(listing.instrument.max_leverage),
        "cumFunding": {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"},
    }


def leverage_row(leverage: Decimal, mode: MarginMode, view: PositionView | None = None) -> Json:
    row: dict[str, object] = {"type": mode.value, "value": int(leverage)}
    if mode is MarginMode.ISOLATED:
        raw = ZERO if view is None else view.margin - view.contracts * view.leg.entry_price
        row["rawUsd"] = shown(raw)
    return row


def active_asset(call: Call) -> Json:
    """Leverage of one coin, flat or not; an address that is no account has the venue's defaults."""
    listing, rules = call.listing(), call.exchange.rules
    quote, user = call.exchange.quote(listing.symbol), call.address()
    leverage, mode, available = rules.default_leverage, rules.default_margin_mode, ZERO
    if call.account is not None:
        leverage = call.exchange.leverage(call.account, listing.symbol)
        mode = call.exchange.margin_mode(call.account, listing.symbol)
        available = call.exchange.balance(call.account).available
    most = shown(listing.instrument.contracts_for(available * leverage, quote.mark))
    return {
        "user": user,
        "coin": listing.instrument.venue_symbol,
        "leverage": leverage_row(min(leverage, listing.instrument.max_leverage), mode),
        "maxTradeSzs": [most, most],
        "availableToTrade": [shown(available), shown(available)],
        "markPx": shown(quote.mark),
    }


def spot_state(call: Call) -> Json:
    held = call.venue.behaviour.spot.get(call.account or "", ZERO)
    row = {"coin": "USDC", "token": 0, "total": shown(held), "hold": "0.0", "entryNtl": "0.0"}
    return {"balances": [row] if held else []}


# --- who is who -------------------------------------------------------------------------------------------------------


def role(call: Call) -> Json:
    wallets, asked = call.venue.wallets, call.address()
    if (master := wallets.master_of_agent(asked)) is not None:
        return {"role": "agent", "data": {"user": wallets.masters[master].address}}
    if call.account is None:
        return {"role": "missing"}
    if call.account in wallets.vaults:
        return {"role": "vault"}
    if call.account in wallets.sub_accounts:
        return {"role": "subAccount", "data": {"master": wallets.masters[wallets.leader(call.account)].address}}
    return {"role": "user"}


def vault_details(call: Call) -> object:
    account = call.venue.wallets.account_at(call.address("vaultAddress"))
    if account is None or account not in call.venue.wallets.vaults:
        return None
    leader = call.venue.wallets.masters[call.venue.wallets.leader(account)].address
    return {"name": account, "vaultAddress": call.address("vaultAddress"), "leader": leader, "isClosed": False}


def extra_agents(call: Call) -> list[Json]:
    if call.account is None or not call.exchange.info(call.account).can_trade:
        return []
    agent = call.venue.wallets.agents[call.account]
    until_ms = call.now_ms() + AGENT_DAYS * 86_400_000
    return [{"name": "engine", "address": agent.address, "validUntil": until_ms}]


def sub_accounts(call: Call) -> object:
    """Null where there are none."""
    wallets = call.venue.wallets
    names = [name for name, master in wallets.sub_accounts.items() if master == call.account]
    return [
        {
            "name": name,
            "subAccountUser": wallets.masters[name].address,
            "master": call.address(),
            "clearinghouseState": account_state(call.venue, name),
            "spotState": spot_state(Call(call.venue, call.fields, name)),
        }
        for name in names
    ] or None


def abstraction(call: Call) -> str:
    return call.venue.behaviour.modes.get(call.account or "", "default")


def rate_limit(call: Call, used: int) -> Json:
    traded = ZERO if call.account is None else call.venue.traded.of(call.account)
    return {"cumVlm": shown(traded), "nRequestsUsed": used, "nRequestsCap": ACTIONS + int(traded)}
