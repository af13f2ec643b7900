"""Whose wallets may trade a Hyperliquid account, as preflight tells it and the venue has it; and where the money is."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from functools import partial

import pytest

from core.domain import Cost, Scope
from core.errors import ConfigError, Denied, Unavailable
from simulator.facades.hyperliquid import HyperliquidFacade
from simulator.facades.hyperliquid.context import Behaviour
from tests.contract.hyperliquid_bench import BTC, Bench, address, bodies, facade, run

D = Decimal
NOBODY = "0x" + "ab" * 20
SIZE = "0.012"


async def problem(bench: Bench, **fields: str) -> str:
    """Code of the one problem preflight finds with other credentials; its text must be of use."""
    (found,) = (await bench.another("main", fields).preflight()).problems
    assert found.scope in (Scope.ALL, Scope.INCREASES)
    assert len(found.because) > 60
    return found.code


# --- wallets ----------------------------------------------------------------------------------------------------------


def test_the_masters_own_key_and_an_approved_agents_pass() -> None:
    async def scenario(bench: Bench) -> None:
        own = bench.another("main", {"private_key": facade(bench).wallets.masters["main"].key})
        for sut in (bench.adapter, own):
            assert (await sut.preflight()).problems == ()
            await sut.place(bench.order(SIZE), bench.next_id(), await sut.permit(Cost(reduction=False)))
        assert bench.position() == D("0.024")

    run("memory", scenario)


def test_addresses_are_taken_in_any_capitals() -> None:
    async def scenario(bench: Bench) -> None:
        sut = bench.another("main", {"wallet_address": "0x" + address(bench)[2:].upper()})
        assert (await sut.preflight()).problems == ()
        assert (await sut.equity()).value == 10_000

    run("memory", scenario)


def test_an_agents_address_reads_empty_and_is_refused_with_what_to_do() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(bench.order(SIZE))
        agent = facade(bench).wallets.agents["main"].address
        sut = bench.another("main", {"wallet_address": agent})
        assert (await sut.positions()).by_symbol == {}  # nothing but the role tells
        (found,) = (await sut.preflight()).problems
        assert (found.scope, found.code) == (Scope.ALL, "agent_address")
        assert address(bench) in found.because
        assert "wallet_address" in found.because

    run("memory", scenario)


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("unknown key", "unknown_wallet"),
        ("another master's key", "unknown_wallet"),
        ("another account's agent", "wrong_agent"),
        ("unknown address and its key", "unknown_wallet"),
        ("a stranger's address", "wrong_agent"),
        ("a stranger's vault", "wrong_vault"),
        ("no vault at all", "wrong_vault"),
        ("an agent's as vault", "agent_address"),
    ],
)
def test_credentials_that_do_not_belong_together(case: str, code: str) -> None:
    async def scenario(bench: Bench) -> None:
        wallets = facade(bench).wallets
        unknown = "0x" + "12" * 32
        fields = {
            "unknown key": {"private_key": unknown},
            "another master's key": {"private_key": wallets.masters["second"].key},
            "another account's agent": {"private_key": wallets.agents["second"].key},
            "unknown address and its key": {
                "private_key": unknown,
                "wallet_address": "0x1c5a77d9fa7ef466951b2f01f724bca3a5820b63",
            },
            "a stranger's address": {"wallet_address": NOBODY},
            "a stranger's vault": {"vault_address": address(bench, "second")},
            "no vault at all": {"vault_address": NOBODY},
            "an agent's as vault": {"vault_address": wallets.agents["main"].address},
        }[case]
        assert await problem(bench, **fields) == code

    run("memory", scenario)


def test_a_wallet_that_may_not_sign_is_denied_by_the_venue_too() -> None:
    async def scenario(bench: Bench) -> None:
        sut = bench.another("main", {"private_key": "0x" + "12" * 32})
        permit = await sut.permit(Cost(reduction=False))
        with pytest.raises(Denied, match="0x1c5a77d9fa7ef466951b2f01f724bca3a5820b63") as caught:
            await sut.place(bench.order(SIZE), bench.next_id(), permit)
        assert caught.value.code == "UnknownWallet"
        assert "https://app.hyperliquid.xyz/API" in str(caught.value)
        assert bench.orders() == 0

    run("memory", scenario)


@pytest.mark.parametrize("field", ["wallet_address", "private_key"])
@pytest.mark.parametrize("value", ["", "0x12", "canary"])
def test_fields_that_are_no_wallet_are_named_and_not_quoted(field: str, value: str) -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(ConfigError, match=f"hyperliquid-main: {field}") as caught:
            bench.another("main", {field: value})
        assert "canary" not in str(caught.value)

    run("memory", scenario)


def test_a_vault_address_that_is_none_is_named() -> None:
    async def scenario(bench: Bench) -> None:
        with pytest.raises(ConfigError, match="hyperliquid-main: vault_address"):
            bench.another("main", {"vault_address": "0x12"})

    run("memory", scenario)


@pytest.mark.parametrize(
    "build",
    [
        partial(HyperliquidFacade, vaults={"second": "main"}),
        partial(HyperliquidFacade, sub_accounts={"second": "main"}),
    ],
    ids=["vault", "sub-account"],
)
def test_vaults_and_sub_accounts_are_traded_by_their_masters_wallet(build: partial[HyperliquidFacade]) -> None:
    async def scenario(bench: Bench) -> None:
        fields = bench.world.credentials()["hyperliquid"]
        assert fields["second"]["vault_address"] == address(bench, "second")
        assert fields["second"]["private_key"] == fields["main"]["private_key"]
        sut = bench.another("second")
        assert (await sut.preflight()).problems == ()
        mine = bench.next_id()
        await sut.place(bench.order(SIZE), mine, await sut.permit(Cost(reduction=False)))
        assert bodies(bench)[-1]["vaultAddress"] == address(bench, "second")
        assert bench.position() == 0
        assert (await sut.positions()).of(BTC).contracts == D(SIZE)
        assert (await bench.adapter.positions()).of(BTC).contracts == 0
        found = await sut.find(BTC, mine)
        assert found is not None
        assert await bench.adapter.find(BTC, mine) is None
        # Its address in the wrong place is told apart.
        assert await problem(bench, wallet_address=address(bench, "second")) == "wallet_is_vault"

    run("memory", scenario, build=build)


def test_accounts_that_share_a_key_share_its_nonces() -> None:
    async def scenario(bench: Bench) -> None:
        suts = [bench.adapter, bench.another("second")]
        for sut in suts:
            await sut.instruments()

        async def one(number: int) -> None:
            sut = suts[number % 2]
            await sut.place(bench.order("0.001"), bench.next_id(), await sut.permit(Cost(reduction=False)))

        await asyncio.gather(*(one(number) for number in range(20)))
        nonces = [body["nonce"] for body in bodies(bench) if "nonce" in body]
        assert len(set(nonces)) == len(nonces) == 20
        assert bench.orders() == 10

    run("memory", scenario, build=partial(HyperliquidFacade, sub_accounts={"second": "main"}))


# --- money ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["unifiedAccount", "portfolioMargin"])
def test_money_that_is_in_spot_by_the_accounts_mode_stops_increases(mode: str) -> None:
    async def scenario(bench: Bench) -> None:
        (found,) = (await bench.adapter.preflight()).problems
        assert (found.scope, found.code) == (Scope.INCREASES, "unified_account")
        assert "transfer USDC to perpetuals" in found.because

    run("memory", scenario, build=partial(HyperliquidFacade, behaviour=Behaviour(modes={"main": mode})))


def test_money_that_was_left_in_spot_is_told_of() -> None:
    async def scenario(bench: Bench) -> None:
        assert (await bench.adapter.preflight()).problems == ()
        bench.setup(equity="0")
        (found,) = (await bench.adapter.preflight()).problems
        assert (found.scope, found.code) == (Scope.INCREASES, "money_in_spot")
        assert "12.5 USDC" in found.because

    run("memory", scenario, build=partial(HyperliquidFacade, behaviour=Behaviour(spot={"main": D("12.5")})))


def test_an_empty_account_without_anything_in_spot_has_no_problem_of_its_own() -> None:
    async def scenario(bench: Bench) -> None:
        bench.setup(equity="0")
        assert (await bench.adapter.preflight()).problems == ()

    run("memory", scenario)


def test_an_address_that_has_used_up_its_requests_is_told_of_and_waits() -> None:
    async def scenario(bench: Bench) -> None:
        await bench.place(bench.order(SIZE))
        facade(bench)._actions["main"].used = 20_000
        (found,) = (await bench.adapter.preflight()).problems
        assert (found.scope, found.code) == (Scope.INCREASES, "requests_used_up")
        await asyncio.sleep(2)
        permit = await bench.adapter.permit(Cost(reduction=False))
        with pytest.raises(Unavailable) as caught:
            await bench.adapter.place(bench.order(SIZE), bench.next_id(), permit)
        assert caught.value.code == "TooManyRequests"
        assert caught.value.retry_after_s == pytest.approx(10.0)
        with pytest.raises(Unavailable, match="no room"):
            await bench.adapter.permit(Cost(reduction=True))
        await asyncio.sleep(10.1)
        await bench.place(bench.order(SIZE))
        assert bench.orders() == 2

    run("memory", scenario)
