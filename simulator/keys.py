"""Credentials and ids of simulated accounts: all derived from the seed, so that a restarted simulator knows them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from simulator.model import Keys

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
ORDINALS = (
    "main", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth",
    "eleventh", "twelfth", "thirteenth", "fourteenth", "fifteenth", "sixteenth", "seventeenth", "eighteenth",
    "nineteenth", "twentieth",
)  # fmt: skip


def account_names(count: int) -> Iterator[str]:
    """`main`, `second`, … `twentieth`, then `account-21` and so on."""
    for n in range(count):
        yield ORDINALS[n] if n < len(ORDINALS) else f"account-{n + 1}"


def keys_for(seed: int, venue: str, account: str) -> Keys:
    def draw(what: str, size: int) -> bytes:
        return hashlib.blake2b(f"{seed}/{venue}/{account}/{what}".encode(), digest_size=size).digest()

    def letters(what: str, size: int) -> str:
        return "".join(LETTERS[byte % len(LETTERS)] for byte in draw(what, size))

    # The first digit 0 keeps the number below the order of secp256k1, the last 1 keeps it above zero.
    private = "0" + draw("private_key", 32).hex()[1:-1] + "1"
    return Keys(letters("api_key", 18), letters("api_secret", 36), letters("passphrase", 12), private)


def order_id(seed: int, venue: str, number: int) -> str:
    """The UUID of a venue's n-th order."""
    text = hashlib.blake2b(f"{seed}/{venue}/order/{number}".encode(), digest_size=16).hexdigest()
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-8{text[17:20]}-{text[20:]}"
