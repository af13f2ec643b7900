"""Bybit's account: key, modes, balance, fees.

Sources: https://bybit-exchange.github.io/docs/v5/account, /docs/v5/user and recorded answers.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from core.domain import ZERO, MarginMode, plain
from simulator.facades.bybit.codes import MARGIN_MODE_FAILED, MESSAGES
from simulator.facades.bybit.context import LINEAR, Call
from simulator.facades.bybit.wire import Json, Refusal, money, refuse_parameter
from simulator.model import Balance, Reason, Refused

UNIFIED = "UNIFIED"
UNIFIED_STATUS = 5
"""UTA 2.0. Source: https://bybit-exchange.github.io/docs/v5/enum#unifiedmarginstatus"""
MARGIN_MODES = {"ISOLATED_MARGIN": MarginMode.ISOLATED, "REGULAR_MARGIN": MarginMode.CROSS}
PORTFOLIO = "PORTFOLIO_MARGIN"
MARGIN_MODE_NAMES = {mode: name for name, mode in MARGIN_MODES.items()}
CREATED_AT = 1_704_067_200.0
UID_BASE = 24_600_000
DAY_S = 86_400
UNBOUND_KEY_DAYS = 90
"""A key that is bound to no address ends after this time."""


def info(call: Call) -> Json:
    """Account-wide settings. The margin mode is the account's, there is no other."""
    return {
        "marginMode": MARGIN_MODE_NAMES[call.exchange.info(call.account).margin_mode],
        "updatedTime": str(call.stamp_ms(call.venue.mode_set_at.get(call.account, CREATED_AT))),
        "unifiedMarginStatus": UNIFIED_STATUS,
        "dcpStatus": "OFF",
        "timeWindow": 0,
        "smpGroup": 0,
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
    }


def query_api(call: Call) -> Json:
    """What the key may do. A key without the trade right is read-only."""
    may_trade = call.exchange.info(call.account).can_trade
    uid = UID_BASE + call.exchange.accounts().index(call.account)
    bound = call.venue.addresses.get(call.account)
    expiry = (call.exchange.time() // DAY_S + UNBOUND_KEY_DAYS) * DAY_S
    return {
        "id": str(uid),
        "note": call.account,
        "apiKey": call.exchange.keys(call.account).api_key,
        "readOnly": 0 if may_trade else 1,
        "secret": "",
        "permissions": {
            "ContractTrade": ["Order", "Position"] if may_trade else [],
            "Spot": [],
            "Wallet": [],
            "Options": [],
            "Derivatives": ["DerivativesTrade"] if may_trade else [],
            "CopyTrading": [],
            "BlockTrade": [],
            "Exchange": [],
            "NFT": [],
            "Affiliate": [],
            "Earn": [],
        },
        "ips": sorted(bound) if bound else ["*"],
        "type": 1,
        "deadlineDay": -2 if bound else UNBOUND_KEY_DAYS,
        "expiredAt": _day(0.0 if bound else expiry),
        "createdAt": _day(CREATED_AT),
        "unified": 0,
        "uta": 1,
        "userID": uid,
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": "",
        "isMaster": False,
        "parentUid": str(UID_BASE - 1),
        "kycLevel": "LEVEL_DEFAULT",
        "kycRegion": "",
    }


def _day(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def wallet_balance(call: Call) -> Json:
    """The wallet; with `coin` only those coins of it."""
    call.params.one_of("accountType", (UNIFIED,))
    asked = call.params.text("coin")
    settle = call.exchange.rules.settle
    row = wallet_row(call, call.exchange.balance(call.account))
    return {"list": [row if not asked or settle in asked.split(",") else {**row, "coin": []}]}


def wallet_row(call: Call, it: Balance) -> Json:
    """One coin: the settle currency, in which the simulator books every contract. A coin that is not held is left out.

    Account-wide figures do not apply to isolated margin and are then empty texts.
    """
    settle = call.exchange.rules.settle
    isolated = call.exchange.info(call.account).margin_mode is MarginMode.ISOLATED
    margin = it.initial_margin + it.order_margin
    rates = [_rate(share, it.equity) for share in (margin, it.maintenance_margin)]
    coin = {
        "coin": settle,
        "equity": money(it.equity),
        "usdValue": money(it.equity),
        "walletBalance": money(it.wallet),
        "locked": "0",
        "spotHedgingQty": "0",
        "borrowAmount": "0",
        "spotBorrow": "0",
        "availableToBorrow": "",
        "availableToWithdraw": "",
        "accruedInterest": "0",
        "totalOrderIM": money(it.order_margin),
        "totalPositionIM": money(it.initial_margin),
        "totalPositionMM": money(it.maintenance_margin),
        "unrealisedPnl": money(it.unrealized),
        "cumRealisedPnl": money(sum((leg.realized for leg in call.legs()), ZERO)),
        "bonus": "0",
        "marginCollateral": True,
        "collateralSwitch": True,
        "colRes": "0",
    }
    return {
        "accountType": UNIFIED,
        "totalEquity": money(it.equity),
        "totalWalletBalance": "" if isolated else money(it.wallet),
        "totalPerpUPL": "" if isolated else money(it.unrealized),
        "totalMarginBalance": "" if isolated else money(it.equity),
        "totalAvailableBalance": "" if isolated else money(it.available),
        "totalInitialMargin": "" if isolated else money(margin),
        "totalInitialMarginByMp": "" if isolated else money(margin),
        "totalMaintenanceMargin": "" if isolated else money(it.maintenance_margin),
        "totalMaintenanceMarginByMp": "" if isolated else money(it.maintenance_margin),
        "accountIMRate": "" if isolated else rates[0],
        "accountIMRateByMp": "" if isolated else rates[0],
        "accountMMRate": "" if isolated else rates[1],
        "accountMMRateByMp": "" if isolated else rates[1],
        "accountLTV": "" if isolated else "0",
        "coin": [coin],
    }


def _rate(share: Decimal, equity: Decimal) -> str:
    return plain((share / equity).quantize(Decimal("0.0001"))) if equity > 0 else "0"


def set_margin_mode(call: Call) -> Json:
    """Account-wide. Open positions or orders, and portfolio margin, fail with 3400045 and a list of reasons."""
    wanted = call.params.one_of("setMarginMode", (*MARGIN_MODES, PORTFOLIO))
    if wanted == PORTFOLIO:
        raise _failed("Equity needs to be equal to or greater than 1000 USDC")
    try:
        call.exchange.set_margin_mode(call.account, MARGIN_MODES[wanted])
    except Refused as refused:
        if refused.reason not in (Reason.HAS_POSITION, Reason.HAS_ORDERS):
            raise
        raise _failed("There are open positions or orders") from refused
    call.venue.mode_set_at[call.account] = call.exchange.clock.time()
    return {"reasons": []}


def _failed(why: str) -> Refusal:
    reasons = [{"reasonCode": "3400000", "reasonMsg": why}]
    return Refusal(MARGIN_MODE_FAILED, MESSAGES[MARGIN_MODE_FAILED], {"reasons": reasons})


def fee_rate(call: Call) -> Json:
    """The venue's fees, the same for every contract."""
    call.linear()
    listings = [call.listing()] if call.params.text("symbol") else call.exchange.listings()
    rules = call.exchange.rules
    rows = [
        {
            "symbol": it.instrument.venue_symbol,
            "takerFeeRate": plain(rules.taker_fee),
            "makerFeeRate": plain(rules.maker_fee),
        }
        for it in listings
    ]
    return {"list": rows}


def collateral_info(call: Call) -> Json:
    """The settle currency is the only collateral."""
    settle = call.exchange.rules.settle
    row = {
        "currency": settle,
        "hourlyBorrowRate": "0",
        "maxBorrowingAmount": "0",
        "freeBorrowingLimit": "",
        "freeBorrowAmount": "",
        "freeBorrowingAmount": "",
        "borrowAmount": "0",
        "otherBorrowAmount": "0",
        "availableToBorrow": "0",
        "borrowable": False,
        "borrowUsageRate": "0",
        "marginCollateral": True,
        "collateralSwitch": True,
        "collateralRatio": "1",
    }
    return {"list": [row] if call.params.text("currency", settle) == settle else []}


def user_setting(call: Call) -> Json:
    """`lpaPerp` true: a price beyond the limit is refused; false, the default: it is adjusted."""
    return {"lpaSpot": False, "lpaPerp": call.account in call.venue.fixed_prices, "deltaEnable": False}


def set_limit_price_action(call: Call) -> Json:
    """Whether prices beyond the limit are adjusted (`modifyEnable`) or refused."""
    if call.params.one_of("category", (LINEAR, "inverse", "spot")) == "spot":
        raise refuse_parameter("category not supported by this account")
    if call.params.flag("modifyEnable"):
        call.venue.fixed_prices.discard(call.account)
    else:
        call.venue.fixed_prices.add(call.account)
    return {}


def member_type(call: Call) -> Json:
    """Account types of the UID."""
    uid = UID_BASE + call.exchange.accounts().index(call.account)
    return {"accounts": [{"uid": str(uid), "accountType": ["FUND", UNIFIED]}]}


def coins(call: Call) -> Json:
    """The coins contracts settle in. Nothing can be paid in or out, so they have no chains."""
    asked = call.params.text("coin")
    names = sorted({it.instrument.settle for it in call.exchange.listings()})
    rows = [{"name": name, "coin": name, "remainAmount": "0", "chains": []} for name in names if asked in ("", name)]
    return {"rows": rows}
