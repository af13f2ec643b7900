"""What makes a generation, what it is sized with, and when one that was never reached lapses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

import pytest

from core.domain import (
    AccountId,
    AccountSettings,
    LeverageFrom,
    Settings,
    SourceName,
    SourceSettings,
    SymbolWeights,
    Taken,
)
from core.sizing import needs_size
from core.targets import leverage_of
from tests.unit.core.builders import (
    ACCOUNT,
    BTC,
    ENTRY_MAX_AGE_S,
    ETH,
    NOW,
    SN8,
    TV,
    Desk,
    Opinion,
    d,
    equity,
    facts,
    heard,
    price,
    reads,
    say,
    unknown,
    weighted,
)

SPOKEN = say("0.5", leverage="10")
OTHER = say("-0.4")


def started() -> Desk:
    desk = Desk()
    desk.cycle(reads(SPOKEN, OTHER))
    assert desk.generation == 1
    return desk


def with_account(settings: Settings, **changes: object) -> Settings:
    account = replace(settings.accounts[ACCOUNT], **changes)  # type: ignore[arg-type]  # each case names its fields
    return replace(settings, accounts={ACCOUNT: account})


# --- identity ---------------------------------------------------------------------------------------------------------

NEW_SIGNALS: dict[str, Opinion] = {
    "another depth": say("0.6", leverage="10"),
    "the same depth, said later": say("0.5", NOW + 1, leverage="10"),
    "another leverage": say("0.5", leverage="9"),
    "no leverage any more": say("0.5"),
}


@pytest.mark.parametrize("signal", NEW_SIGNALS.values(), ids=NEW_SIGNALS)
def test_another_signal_is_another_generation(signal: Opinion) -> None:
    desk = started()
    desk.cycle(reads(signal, OTHER), after_s=5)
    assert desk.generation == 2


SAME_SIGNALS: dict[str, Opinion] = {
    "repeated": SPOKEN,
    "with another revision": heard(TV, SPOKEN, revision=99),
    "with another price and meta": replace(SPOKEN, price=d("51000"), meta={"event": "x"}),
    "written with more digits": say("0.500", leverage="10.0"),
    "unknown": unknown(TV),
}


@pytest.mark.parametrize("signal", SAME_SIGNALS.values(), ids=SAME_SIGNALS)
def test_the_same_content_is_the_same_generation(signal: Opinion) -> None:
    desk = started()
    desk.cycle(reads(signal, OTHER), after_s=5)
    assert desk.generation == 1


Change = Callable[[Settings], Settings]

NEW_SETTINGS: dict[str, Change] = {
    "weight": lambda s: weighted(s, "0.25", "0.1"),
    "weight of the other source": lambda s: weighted(s, "0.2", "0.05"),
    "configured leverage": lambda s: replace(s, weights={BTC: replace(s.weights[BTC], leverage=d(15))}),
    "scale": lambda s: with_account(s, scale=d("0.5")),
    "leverage override of the symbol": lambda s: with_account(s, leverage={"BTCUSDT": d(7)}),
    "leverage override of every symbol": lambda s: with_account(s, leverage={"*": d(7)}),
    "source disabled": lambda s: replace(s, sources={**s.sources, SN8: SourceSettings(enabled=False)}),
}


@pytest.mark.parametrize("change", NEW_SETTINGS.values(), ids=NEW_SETTINGS)
def test_what_sizes_it_is_part_of_its_identity(change: Change) -> None:
    desk = started()
    before = desk.settings
    desk.settings = change(before)
    desk.cycle(reads(SPOKEN, OTHER), after_s=5)
    assert desk.generation == 2
    desk.settings = before
    desk.cycle(reads(SPOKEN, OTHER), after_s=5)
    assert desk.generation == 3


def other_symbol(settings: Settings) -> Settings:
    entry = SymbolWeights(ETH, d(3), {TV: d("0.9")})
    return replace(settings, weights={**settings.weights, ETH: entry})


def other_account(settings: Settings) -> Settings:
    other = AccountSettings(AccountId("kucoin-main"), "kucoin", "main", scale=d(2))
    return replace(settings, accounts={**settings.accounts, other.account: other})


SAME_SETTINGS: dict[str, Change] = {
    "another symbol": other_symbol,
    "another account": other_account,
    "weights in another order": lambda s: replace(
        s, weights={BTC: replace(s.weights[BTC], weights={SN8: d("0.10"), TV: d("0.20")})}
    ),
    "a source with weight 0": lambda s: replace(
        s, weights={BTC: replace(s.weights[BTC], weights={**s.weights[BTC].weights, SourceName("third"): d(0)})}
    ),
    "an override of another symbol": lambda s: with_account(s, leverage={"ETHUSDT": d(7)}),
    "age limits": lambda s: replace(s, sources={}),
}


@pytest.mark.parametrize("change", SAME_SETTINGS.values(), ids=SAME_SETTINGS)
def test_what_does_not_size_it_makes_no_generation(change: Change) -> None:
    desk = started()
    desk.settings = change(desk.settings)
    desk.cycle(reads(SPOKEN, OTHER), after_s=5)
    assert desk.generation == 1


def test_prices_equity_and_time_make_no_generation() -> None:
    desk = started()
    desk.facts = replace(facts(), equity=equity("9000"), price=price("61000"))
    desk.cycle(reads(SPOKEN, OTHER), after_s=86_400)
    assert (desk.generation, desk.sized.equity, desk.sized.price) == (1, d(1000), d(50000))


def test_weight_0_and_left_out_are_the_same_generation() -> None:
    desk = started()
    desk.settings = weighted(desk.settings, "0.2", "0")
    desk.cycle(reads(SPOKEN, OTHER), after_s=5)
    desk.settings = weighted(desk.settings, "0.2", None)
    desk.cycle(reads(SPOKEN, OTHER), after_s=5)
    assert desk.generation == 2


def test_every_resync_is_one_generation() -> None:
    desk = started()
    for n in (1, 2):
        desk.resync(n)
        desk.cycle(reads(SPOKEN, OTHER), after_s=5)
        desk.cycle(reads(SPOKEN, OTHER), after_s=5)
        assert desk.generation == 1 + n


def test_no_signal_is_no_generation() -> None:
    assert not needs_size(Desk().want({}), None)


# --- leverage ---------------------------------------------------------------------------------------------------------


def taken(contribution: str, leverage: str | None) -> Taken:
    return Taken(d(contribution), d(contribution), NOW, None if leverage is None else d(leverage), d(1))


def account(source: LeverageFrom = LeverageFrom.CAPPED, most: str = "20") -> AccountSettings:
    plain = AccountSettings(ACCOUNT, "bybit", "main")
    return replace(plain, policy=replace(plain.policy, leverage_from=source, max_leverage=d(most)))


CAPPED, CONFIG, SIGNAL = LeverageFrom.CAPPED, LeverageFrom.CONFIG, LeverageFrom.SIGNAL
LEVERAGES = [
    # contributions with their leverages, configured, rule, L, what bound it
    ([("0.10", "10"), ("0.04", "3")], "20", CAPPED, "8", "signals"),
    ([("-0.10", "10"), ("0.04", "3")], "20", CAPPED, "8", "signals"),
    ([("0.10", "10"), ("0.04", None)], "20", CAPPED, "10", "signals"),
    ([("0.10", None)], "20", CAPPED, "20", "configured"),
    ([("0.10", "10")], "5", CAPPED, "5", "configured"),
    ([("0.10", "10")], "5", SIGNAL, "10", "signals"),
    ([("0.10", None)], "5", SIGNAL, "5", "configured"),
    ([("0.10", "3")], "5", CONFIG, "5", "configured"),
    ([("0", "3"), ("0.1", None)], "5", CAPPED, "5", "configured"),  # what is not held has no say
    ([("0.10", "4.9")], "20", CAPPED, "4", "signals"),  # floor
    ([("0.10", "0.5")], "20", CAPPED, "1", "signals"),  # at least 1
    ([("0.10", "50")], "60", CAPPED, "20", "max_leverage"),
    ([], "3.7", CAPPED, "3", "configured"),
]


@pytest.mark.parametrize(("shares", "config", "rule", "leverage", "bound"), LEVERAGES)
def test_leverage(
    shares: list[tuple[str, str | None]], config: str, rule: LeverageFrom, leverage: str, bound: str
) -> None:
    given = {SourceName(f"s{n}"): taken(*share) for n, share in enumerate(shares)}
    found, why = leverage_of(given, d(config), account(rule))
    assert found == d(leverage)
    assert bound in why


def test_rounding_of_the_mean_loses_no_step() -> None:
    third = Decimal("0.1") / 3
    shares = {TV: replace(taken("0.1", "7"), contribution=third), SN8: replace(taken("1", "7"), contribution=third / 7)}
    assert leverage_of(shares, d(20), account())[0] == 7


def test_the_bound_is_named() -> None:
    assert "at 10x (leverage of the signals)" in Desk().cycle(reads(SPOKEN)).because


OVERRIDES = [({}, "20"), ({"*": d(4)}, "4"), ({"*": d(4), "BTCUSDT": d(6)}, "6"), ({"ETHUSDT": d(4)}, "20")]


@pytest.mark.parametrize(("overrides", "leverage"), OVERRIDES)
def test_the_accounts_override_is_the_configured_leverage(overrides: dict[str, Decimal], leverage: str) -> None:
    desk = Desk()
    desk.settings = with_account(desk.settings, leverage=overrides)
    assert desk.cycle(reads(say("0.5"))).leverage == d(leverage)


# --- expiry of a generation that was never reached --------------------------------------------------------------------


def test_an_entry_expires_by_its_own_time() -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5", NOW - 100)))
    assert desk.sized.entry_expires_at == NOW - 100 + ENTRY_MAX_AGE_S


def test_without_an_age_limit_it_never_expires() -> None:
    desk = Desk()
    desk.cycle(reads(None, say("0.5")))
    assert desk.sized.entry_expires_at is None


def test_an_older_share_without_limit_does_not_keep_a_new_entry_alive() -> None:
    desk = Desk()
    desk.cycle(reads(None, say("0.5", NOW - 3600)))
    desk.cycle(reads(say("0.5", NOW), say("0.5", NOW - 3600)))
    assert desk.sized.entry_expires_at == NOW + ENTRY_MAX_AGE_S


def test_the_newest_entry_decides() -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5", NOW), say("0.5", NOW - 5)))
    desk.cycle(reads(say("0.5", NOW), say("0.6", NOW + 60)), after_s=60)
    assert desk.sized.entry_expires_at is None


def test_a_flat_is_an_entry_too() -> None:
    sources = {s: SourceSettings(entry_max_age_s=ENTRY_MAX_AGE_S) for s in (TV, SN8)}
    desk = Desk()
    desk.settings = replace(desk.settings, sources=sources)
    desk.cycle(reads(say("0.5", NOW), say("-0.5", NOW)))
    desk.cycle(reads(say("0.5", NOW), say("0", NOW + 3000)), after_s=3000)  # the target grows
    assert desk.sized.entry_expires_at == NOW + 3000 + ENTRY_MAX_AGE_S


@pytest.mark.parametrize("by", ["weights", "resync"])
def test_a_change_by_the_user_is_an_entry_of_now(by: str) -> None:
    desk = Desk()
    desk.cycle(reads(say("0.5", NOW)))
    if by == "weights":
        desk.settings = weighted(desk.settings, "0.3", "0.1")
    else:
        desk.resync()
    desk.cycle(reads(say("0.5", NOW)), after_s=7200)
    assert (desk.generation, desk.sized.entry_expires_at) == (2, NOW + 7200 + ENTRY_MAX_AGE_S)


def test_sizing_what_waited_does_not_renew_it() -> None:
    desk = Desk()
    desk.facts = replace(facts(), equity=None)
    desk.cycle(reads(say("0.5", NOW)))
    desk.facts = facts()
    desk.cycle(reads(say("0.5", NOW)), after_s=500)
    assert not desk.sized.provisional
    assert desk.sized.entry_expires_at == NOW + ENTRY_MAX_AGE_S
