"""Addresses and keys of Ethereum-style wallets: their form, their checksum (EIP-55), and which key is whose."""

from __future__ import annotations

import re

ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
PRIVATE_KEY = re.compile(r"(?:0x)?(?P<digits>[0-9a-fA-F]{64})", re.ASCII)


def checksummed(address: str) -> str:
    """The address in the capitals that EIP-55 gives it: a letter is large where the hash of the whole has a high digit.

    Source: https://eips.ethereum.org/EIPS/eip-55.
    """
    digits = address[2:].lower()
    marks = _keccak(digits.encode("ascii")).hex()
    return "0x" + "".join(d.upper() if int(mark, 16) >= 8 else d for d, mark in zip(digits, marks, strict=False))


def check_address(text: str) -> str:
    """An address: 0x and 40 hex digits, and where it has letters of both sizes, the right ones. Raises ValueError."""
    if ADDRESS.fullmatch(text) is None:
        if re.fullmatch(r"(?:0x)?[0-9a-fA-F]{64}", text):
            raise ValueError(
                "has 64 hex digits, which is a private key or a transaction, not an address; nothing was kept"
            )
        raise ValueError(f"must be an address: 0x and 40 hex digits (0-9, a-f), not {_described(text)}")
    has_checksum = text[2:] not in (text[2:].lower(), text[2:].upper())
    if has_checksum and checksummed(text) != text:
        raise ValueError("is no address: its checksum (EIP-55) is wrong, so a digit or letter is; copy it again")
    return text


def check_private_key(text: str) -> str:
    """A private key, as 0x and 64 hex digits. Raises ValueError, never showing it."""
    found = PRIVATE_KEY.fullmatch(text)
    if found is None:
        kind = "an address (40 digits)" if ADDRESS.fullmatch(text) else f"{len(text)} characters"
        raise ValueError(f"must be a private key: 64 hex digits (0-9, a-f), 0x before them or not; these are {kind}")
    key = f"0x{found['digits']}"
    address_of(key)
    return key


def address_of(private_key: str) -> str:
    """The address that a private key belongs to, with its checksum. Raises ValueError where no wallet can have it."""
    from coincurve import PublicKey

    try:
        public = PublicKey.from_valid_secret(bytes.fromhex(private_key.removeprefix("0x")))
    except ValueError:
        raise ValueError("is no private key: no wallet can have this number; copy it again") from None
    return checksummed("0x" + _keccak(public.format(compressed=False)[1:])[-20:].hex())


def same(address: str, other: str) -> bool:
    """Whether two addresses are one, in whatever capitals."""
    return address.lower() == other.lower()


def _keccak(data: bytes) -> bytes:
    from Crypto.Hash import keccak

    return keccak.new(digest_bits=256, data=data).digest()


def _described(text: str) -> str:
    if not text.isascii():
        return "a text with characters beyond ASCII"
    return f"{len(text)} characters" + ("" if text.lower().startswith("0x") else " without 0x in front")
