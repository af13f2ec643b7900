"""Who is who on Hyperliquid: masters, their API wallets (agents), vaults and sub-accounts; and whose nonces were used.

Source: https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api/nonces-and-api-wallets. Of a signer the 100
highest nonces are kept; a new one must be above the lowest of them, unused, and within two days before and one day
after the venue's time. Two signers of one account have nonces of their own.
"""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from simulator.exchange import Exchange
from simulator.facades.hyperliquid.signing import address_of_key
from simulator.facades.parts import ms

KEPT = 100
DAY_MS = 86_400_000
OLDEST_MS, NEWEST_MS = 2 * DAY_MS, DAY_MS


@dataclass(frozen=True, slots=True)
class Wallet:
    """A key and its address."""

    key: str
    address: str

    @staticmethod
    def of(key: str) -> Wallet:
        return Wallet(key, address_of_key(key))


class Refusal(Exception):
    """An action that is refused as a whole, in the venue's words; nothing happened."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


class Wallets:
    """The accounts' addresses. `owned_by`: account -> the account that leads it, for vaults and sub-accounts."""

    def __init__(self, exchange: Exchange, vaults: Mapping[str, str], sub_accounts: Mapping[str, str]) -> None:
        self._exchange = exchange
        self.vaults = vaults
        self.sub_accounts = sub_accounts
        self.masters = {name: Wallet.of(_derived(exchange.keys(name).private_key)) for name in exchange.accounts()}
        self.agents = {name: Wallet.of(exchange.keys(name).private_key) for name in exchange.accounts()}
        self._accounts = {wallet.address: name for name, wallet in self.masters.items()}
        self._agents = {wallet.address: name for name, wallet in self.agents.items()}

    def account_at(self, address: str) -> str | None:
        """The account that has this address; an agent's address is nobody's account."""
        return self._accounts.get(address)

    def master_of_agent(self, address: str) -> str | None:
        """The account an approved agent acts for. A key without the trade right is an agent that was deregistered."""
        name = self._agents.get(address)
        return name if name is not None and self._exchange.info(name).can_trade else None

    def leader(self, name: str) -> str:
        """The account whose wallets act for this one: its own, or that of its vault or sub-account."""
        return self.vaults.get(name) or self.sub_accounts.get(name) or name

    def acting(self, signer: str, vault: str | None) -> str:
        """The account a signer acts for. Raises `Refusal`."""
        master = self._accounts.get(signer)
        if master is not None and self.leader(master) != master:
            master = None  # nobody has the key of a vault's or sub-account's address
        master = master or self.master_of_agent(signer)
        if master is None:
            raise Refusal(f"User or API Wallet {signer} does not exist.")
        if vault is None:
            return master
        account = self._accounts.get(vault)
        if account is None or account == master or self.leader(account) != master:
            raise Refusal(f"Vault not registered: {vault}")
        return account


def _derived(key: str) -> str:
    """The key of a master whose agent has this one."""
    return "0" + hashlib.blake2b(f"master of {key}".encode(), digest_size=32).hexdigest()[1:]


class Nonces:
    """The nonces of all signers."""

    def __init__(self) -> None:
        self._used: dict[str, list[int]] = {}

    def check(self, signer: str, nonce: int, now_s: float) -> None:
        """Raises `Refusal` where the nonce cannot be used (any more)."""
        now_ms, used = ms(now_s), self._used.get(signer, [])
        lowest = now_ms - OLDEST_MS
        if len(used) == KEPT:
            lowest = max(lowest, used[0])
        if nonce in used:
            raise Refusal(f"Invalid nonce: duplicate nonce {nonce}")
        if nonce <= lowest:
            raise Refusal(f"Invalid nonce: nonce too low {nonce} < {lowest}")
        if nonce >= now_ms + NEWEST_MS:
            raise Refusal(f"Invalid nonce: nonce too high {nonce} > {now_ms + NEWEST_MS}")

    def use(self, signer: str, nonce: int) -> None:
        used = self._used.setdefault(signer, [])
        bisect.insort(used, nonce)
        del used[:-KEPT]
