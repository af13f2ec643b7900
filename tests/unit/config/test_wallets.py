"""Addresses, checksums and keys. The addresses are EIP-55's own examples; keys and their addresses are well known."""

from __future__ import annotations

import pytest
from ccxt import Exchange
from hypothesis import given, settings
from hypothesis import strategies as st

from config.wallets import address_of, check_address, check_private_key, checksummed, same

EIP_55 = [
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77",
    "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
ONE = "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf"
ORDER = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"


@pytest.mark.parametrize("address", EIP_55)
def test_the_standards_own_examples(address: str) -> None:
    assert checksummed(address.lower()) == address
    assert check_address(address) == address
    assert check_address(address.lower()) == address.lower()
    assert same(address, address.lower())


@pytest.mark.parametrize("address", EIP_55[4:])
def test_one_letter_of_the_wrong_size_is_seen(address: str) -> None:
    for place in range(2, 42):
        wrong = address[:place] + address[place].swapcase() + address[place + 1 :]
        if wrong != address:
            with pytest.raises(ValueError, match="EIP-55"):
                check_address(wrong)


@pytest.mark.parametrize(
    "text", ["0x1", "x" * 42, ONE[2:], ONE + "0", "0x" + "g" * 40, "０x" + "1" * 40, "0x" + "1" * 64]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match="address") as refused:
        check_address(text)
    assert text not in str(refused.value)


def test_the_address_of_a_key() -> None:
    assert address_of("0" * 63 + "1") == ONE
    assert check_private_key("0" * 63 + "1") == "0x" + "0" * 63 + "1"


@pytest.mark.parametrize("text", ["1", "0x" + "1" * 63, "g" * 64, "0" * 64, ORDER, "f" * 64, ONE, "x" * 500, "１" * 64])
def test_what_is_no_private_key(text: str) -> None:
    with pytest.raises(ValueError, match=r"private key|no wallet") as refused:
        check_private_key(text)
    assert text not in str(refused.value) or len(text) < 3


@settings(max_examples=10)
@given(st.integers(1, int(ORDER, 16) - 1))
def test_another_implementation_agrees(number: int) -> None:
    key = f"0x{number:064x}"
    assert address_of(key).lower() == Exchange().eth_get_address_from_private_key(key).lower()
