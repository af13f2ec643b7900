"""Hyperliquid's signatures: MessagePack, hashes, EIP-712 and keys, beside ccxt's signer; and how long they take."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, cast

import ccxt
import pytest
from ccxt.static_dependencies import msgpack
from hypothesis import given
from hypothesis import strategies as st

from account_processors.codecs.hyperliquid_signing import (
    MAINNET,
    TESTNET,
    Value,
    Wallet,
    address,
    connection_id,
    digest,
    keccak256,
    packed,
)

KEY = "0x" + ("0123456789" * 7)[:64]
ADDRESS = "0x14791697260e4c9a71f18484c9f997b308e59325"
VAULT = "0x" + "cd" * 20
NONCE = 1_790_000_000_123
ORDER: Mapping[str, Value] = {
    "type": "order",
    "orders": [
        {
            "a": 3,
            "b": True,
            "p": "50500",
            "s": "0.012",
            "r": False,
            "t": {"limit": {"tif": "Ioc"}},
            "c": "0x" + "ab" * 16,
        }
    ],
    "grouping": "na",
}
ACTIONS: list[Mapping[str, Value]] = [
    ORDER,
    {"type": "noop"},
    {"type": "updateLeverage", "asset": 150, "isCross": False, "leverage": 20},
    {"type": "cancelByCloid", "cancels": [{"asset": 0, "cloid": "0x" + "01" * 16}]},
    {"type": "cancel", "cancels": [{"a": 0, "o": 257_770_947_487}]},
]
MOST_S = 0.0005


@pytest.mark.parametrize("source", [MAINNET, TESTNET])
@pytest.mark.parametrize("vault", [None, VAULT])
@pytest.mark.parametrize("expires_after", [None, NONCE + 5_000])
@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: str(action["type"]))
def test_signatures_are_those_of_ccxt(
    action: Mapping[str, Value], expires_after: int | None, vault: str | None, source: str
) -> None:
    theirs = ccxt.hyperliquid({"privateKey": KEY, "walletAddress": ADDRESS})
    theirs.options["sandboxMode"] = source == TESTNET
    expected = theirs.sign_l1_action(action, NONCE, None if vault is None else vault[2:], expires_after)
    ours = Wallet(KEY).sign(digest(connection_id(action, NONCE, vault, expires_after), source))
    assert {name: int(str(ours[name]), 16) for name in "rs"} == {name: int(expected[name], 16) for name in "rs"}
    assert ours["v"] == expected["v"]


def test_what_is_signed_depends_on_everything() -> None:
    """Action, sequence of its keys, nonce, vault, end of validity, network: none may be exchanged under a signature."""
    turned: Mapping[str, Value] = {name: ORDER[name] for name in reversed(list(ORDER))}
    actions: list[Mapping[str, Value]] = [ORDER, turned, ACTIONS[1]]
    made = {
        digest(connection_id(action, nonce, vault, until), source)
        for action in actions
        for nonce in (NONCE, NONCE + 1)
        for vault in (None, VAULT, ADDRESS)
        for until in (None, NONCE + 5_000, NONCE + 5_001)
        for source in (MAINNET, TESTNET)
    }
    assert len(made) == 3 * 2 * 3 * 3 * 2


def test_keccak_is_that_of_ethereum() -> None:
    assert keccak256(b"").hex() == "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 64) - 1) | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(max_size=40), inner, max_size=20),
    max_leaves=40,
)


@given(VALUES)
def test_messages_are_packed_as_the_specification_has_it(value: Any) -> None:
    assert packed(value) == msgpack.packb(value)


@pytest.mark.parametrize("value", ["x" * 31, "x" * 32, "x" * 255, "x" * 256, "x" * 65_536, [0] * 16, [0] * 65_536])
def test_long_texts_and_lists(value: Any) -> None:
    assert packed(value) == msgpack.packb(value)
    assert packed({"k": value}) == msgpack.packb({"k": value})


@pytest.mark.parametrize("number", [1 << 64, -(1 << 63) - 1])
def test_numbers_beyond_64_bits_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="64 bits"):
        packed(number)


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError):
        packed(cast("Value", [1.5]))


# --- wallets ----------------------------------------------------------------------------------------------------------


def test_a_wallet_knows_its_address_and_shows_no_key() -> None:
    for written in (KEY, KEY[2:]):
        wallet = Wallet(written)
        assert wallet.address == ADDRESS
        assert KEY[2:20] not in f"{wallet!r} {wallet}"
    assert Wallet("0" * 63 + "1").address == "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"


@pytest.mark.parametrize("key", ["", "0x12", KEY + "00", "g" * 64, "0x" + "0" * 64, "0x" + "f" * 64, ADDRESS])
def test_what_is_no_private_key_is_refused_without_quoting_it(key: str) -> None:
    with pytest.raises(ValueError, match="is no private key") as caught:
        Wallet(key)
    assert not key or key not in str(caught.value)


def test_addresses_are_lower_case() -> None:
    assert address("0x" + "AB" * 20) == "0x" + "ab" * 20
    for wrong in ("", "ab" * 20, "0x12", KEY, "0x" + "g" * 40):
        with pytest.raises(ValueError, match="is no address"):
            address(wrong)


def test_a_signature_takes_less_than_half_a_millisecond() -> None:
    """The best of many, so that a busy machine does not decide. Shown by `pytest -s`."""
    wallet, taken = Wallet(KEY), []
    for number in range(300):
        began = time.perf_counter()
        wallet.sign(digest(connection_id(ORDER, NONCE + number, VAULT, NONCE + number + 5_000), MAINNET))
        taken.append(time.perf_counter() - began)
    taken.sort()
    print(f"a Hyperliquid signature takes {taken[0] * 1000:.3f} ms at best, {taken[150] * 1000:.3f} ms in the middle")
    assert taken[0] < MOST_S
