"""Hyperliquid's signatures of L1 actions: MessagePack, Keccak-256, EIP-712, secp256k1. Compiled parts do the work.

What is signed is the hash of the action as MessagePack writes it, in the order of its keys, followed by nonce, vault
and end of validity; it is wrapped as the `connectionId` of a phantom agent whose source is `a` on the main network and
`b` on the test network. Sources: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/signing and the
official SDK (hyperliquid-python-sdk 0.24.0, utils/signing.py); https://eips.ethereum.org/EIPS/eip-712;
https://github.com/msgpack/msgpack/blob/master/spec.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias, Union

from coincurve import PrivateKey, PublicKey
from Crypto.Hash import keccak

Value: TypeAlias = Union[bool, int, str, "Sequence[Value]", "Mapping[str, Value]", None]
"""What an action is made of. Sizes and prices are text."""

MAINNET, TESTNET = "a", "b"
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_KEY = re.compile(r"(0x)?[0-9a-fA-F]{64}", re.ASCII)


def keccak256(data: bytes) -> bytes:
    return keccak.new(digest_bits=256, data=data).digest()


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")


_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_DOMAIN = keccak256(
    keccak256(_DOMAIN_TYPE) + keccak256(b"Exchange") + keccak256(b"1") + _word(1337) + _word(0)  # no contract
)
_AGENT_TYPE = keccak256(b"Agent(string source,bytes32 connectionId)")


# --- MessagePack ------------------------------------------------------------------------------------------------------


def packed(value: Value) -> bytes:
    """The value in its shortest form. Raises `ValueError` for a number beyond 64 bits, `TypeError` for other types."""
    if value is None:
        return b"\xc0"
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return _packed_int(value)
    if isinstance(value, str):
        data = value.encode()
        return _head(len(data), 0xA0, 31, (0xD9, 0xDA, 0xDB)) + data
    if isinstance(value, Mapping):
        pairs = b"".join(packed(key) + packed(inner) for key, inner in value.items())
        return _head(len(value), 0x80, 15, (None, 0xDE, 0xDF)) + pairs
    if isinstance(value, Sequence):
        return _head(len(value), 0x90, 15, (None, 0xDC, 0xDD)) + b"".join(map(packed, value))
    raise TypeError(f"{type(value).__name__} has no place in an action")


def _packed_int(value: int) -> bytes:
    if -32 <= value < 128:
        return value.to_bytes(1, "big", signed=value < 0)
    first = 0xCC if value >= 0 else 0xD0
    for step, size in enumerate((1, 2, 4, 8)):
        bits = 8 * size - (value < 0)
        if -(1 << bits) <= value < (1 << bits):
            return bytes((first + step,)) + value.to_bytes(size, "big", signed=value < 0)
    raise ValueError("a number beyond 64 bits")


def _head(length: int, short: int, most: int, codes: tuple[int | None, int, int]) -> bytes:
    """What stands before a text, a list or a map; `short` is the code of those with up to `most` parts."""
    if length <= most:
        return bytes((short | length,))
    for code, size in zip(codes, (1, 2, 4), strict=True):
        if code is not None and length < 1 << 8 * size:
            return bytes((code,)) + length.to_bytes(size, "big")
    raise ValueError("too long")


# --- hash and signature -----------------------------------------------------------------------------------------------


def connection_id(action: Mapping[str, Value], nonce: int, vault: str | None, expires_after: int | None) -> bytes:
    """The hash of an action. `vault` is an address, `nonce` and `expires_after` milliseconds."""
    data = packed(action) + nonce.to_bytes(8, "big")
    data += b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault[2:])
    if expires_after is not None:
        data += b"\x00" + expires_after.to_bytes(8, "big")
    return keccak256(data)


def digest(connection: bytes, source: str) -> bytes:
    """What is signed, by EIP-712."""
    agent = keccak256(_AGENT_TYPE + keccak256(source.encode()) + connection)
    return keccak256(b"\x19\x01" + _DOMAIN + agent)


class Wallet:
    """A private key: its address, and signatures by it. Shows nothing of itself."""

    def __init__(self, private_key: str) -> None:
        """64 hex digits, with 0x or without. Raises `ValueError`, never quoting them, for what is no private key."""
        if not _KEY.fullmatch(private_key):
            raise ValueError("is no private key: 64 hex digits, with 0x before them or without")
        try:
            self._key = PrivateKey(bytes.fromhex(private_key[-64:]))
        except ValueError:
            raise ValueError("is no private key: no wallet can have this number") from None
        self.address = address_of(self._key.public_key)

    def __repr__(self) -> str:
        return f"Wallet({self.address})"

    def sign(self, hashed: bytes) -> dict[str, str | int]:
        """`r`, `s`, `v` as the venue takes them."""
        signature = self._key.sign_recoverable(hashed, hasher=None)
        r, s = (int.from_bytes(part, "big") for part in (signature[:32], signature[32:64]))
        return {"r": hex(r), "s": hex(s), "v": 27 + signature[64]}


def address_of(public: PublicKey) -> str:
    """Lower case, 0x first."""
    return "0x" + keccak256(public.format(compressed=False)[1:])[-20:].hex()


def address(text: str) -> str:
    """An address in lower case. Raises `ValueError` for what is none."""
    if not _ADDRESS.fullmatch(text):
        raise ValueError("is no address: 0x and 40 hex digits")
    return text.lower()
