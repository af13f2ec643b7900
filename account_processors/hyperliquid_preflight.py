"""What Hyperliquid says of an account before it is traded: which wallet signs, for whom, and where the money is.

Questions are answered for any address, and for an API wallet's own address they read empty: nothing but its role tells
that it is the wrong one to ask about.
"""

from __future__ import annotations

from account_processors.codecs import hyperliquid as codec
from account_processors.codecs.hyperliquid_errors import APPROVE
from account_processors.hyperliquid_client import HyperliquidClient, read
from account_processors.reading import together, usable
from core.domain import Problem, Scope

UNIFIED = frozenset({"unifiedAccount", "portfolioMargin"})
WHERE = "credentials.json"


class Examiner:
    """Asks for one account. Everything raises `Unavailable`."""

    def __init__(self, client: HyperliquidClient) -> None:
        self._client = client

    async def problems(self, state: codec.State) -> list[Problem]:
        """`state` is the account's, as just read."""
        parts = (self._signer(), self._account(), self._requests(), self._money(state))
        signer, account, requests, money = await together(*parts)
        return [*signer, *account, *requests, *([] if signer or account else money)]

    # --- who signs ----------------------------------------------------------------------------------------------------

    async def _signer(self) -> list[Problem]:
        """Whether the private key may act for `wallet_address`: it is that wallet's own, or that of its API wallet."""
        client = self._client
        signer = await self._role(client.signer)
        if signer.name == "agent" and signer.of == client.owner:
            return []
        if client.signer == client.owner:
            return _own_key(signer)
        owner = await self._role(client.owner)
        if owner.name == "agent":
            return [_agents_address(client.owner, owner)]
        if owner.name in ("vault", "subAccount"):
            whose = f"its master {owner.of}" if owner.of else "its leader"
            because = (
                f"wallet_address {client.owner} is a {_called(owner)}, which signs nothing: the engine sends nothing. "
                f"Put it into vault_address in {WHERE}, and the address of {whose} into wallet_address"
            )
            return [Problem(Scope.ALL, "wallet_is_vault", because)]
        if signer.name == "agent":
            because = (
                f"private_key is that of the API wallet {client.signer}, which acts for {signer.of}, not for "
                f"wallet_address {client.owner}: the engine sends nothing. Correct one of the two in {WHERE}"
            )
            return [Problem(Scope.ALL, "wrong_agent", because)]
        because = (
            f"private_key is that of {client.signer}, which may not sign for wallet_address {client.owner}: the engine "
            f"sends nothing. As its master, {APPROVE}. An API wallet may have expired, or been replaced by a new one"
        )
        return [Problem(Scope.ALL, "unknown_wallet", because)]

    # --- whose account it is ------------------------------------------------------------------------------------------

    async def _account(self) -> list[Problem]:
        """Whether `vault_address` is a vault or sub-account of `wallet_address`."""
        client = self._client
        if client.vault is None:
            return []
        role = await self._role(client.vault)
        if role.name == "subAccount" and role.of == client.owner:
            return []
        if role.name == "vault":
            answer, payload = await read(client.info("vaultDetails", vaultAddress=client.vault))
            with usable(answer.place):
                if codec.leader(payload) == client.owner:
                    return []
        if role.name == "agent":
            return [_agents_address(client.vault, role)]
        because = (
            f"vault_address {client.vault} is {_called(role, article=True)}, and no vault or sub-account of "
            f"wallet_address {client.owner}: the engine sends nothing. Correct it in {WHERE}, or leave it out to trade "
            "the wallet's own account"
        )
        return [Problem(Scope.ALL, "wrong_vault", because)]

    async def _role(self, address: str) -> codec.Role:
        answer, payload = await read(self._client.info("userRole", user=address))
        with usable(answer.place):
            return codec.role(payload)

    # --- what it may do, and where the money is -----------------------------------------------------------------------

    async def _requests(self) -> list[Problem]:
        answer, payload = await read(self._client.info("userRateLimit", user=self._client.address))
        with usable(answer.place):
            left = codec.requests_left(payload)
        if left > 0:
            return []
        because = (
            "the address has used up its requests (10 000, and one for every USDC it ever traded) and may send one in "
            "ten seconds: nothing is opened. Trade on the venue's site, or buy requests there, and the engine goes on"
        )
        return [Problem(Scope.INCREASES, "requests_used_up", because)]

    async def _money(self, state: codec.State) -> list[Problem]:
        """Whether what is read as equity is all there is to trade with."""
        client = self._client
        answer, payload = await read(client.info("userAbstraction", user=client.address))
        with usable(answer.place):
            mode = codec.word(payload)
        if mode in UNIFIED:
            because = (
                f"the account is in the mode {mode!r}, in which the money is in spot and the perpetuals' account value "
                "is not what there is to trade with: nothing is opened, because sizes would be wrong. On the venue's "
                "site, set the account's mode to Standard and transfer USDC to perpetuals"
            )
            return [Problem(Scope.INCREASES, "unified_account", because)]
        if state.equity > 0:
            return []
        answer, payload = await read(client.info("spotClearinghouseState", user=client.address))
        with usable(answer.place):
            held = codec.spot_usdc(payload)
        if held <= 0:
            return []
        because = (
            f"the perpetuals' account is empty and {held} USDC are in spot: nothing can be opened. Transfer them to "
            "perpetuals on the venue's site"
        )
        return [Problem(Scope.INCREASES, "money_in_spot", because)]


def _own_key(role: codec.Role) -> list[Problem]:
    """The private key is that of `wallet_address` itself."""
    if role.name == "user":
        return []
    if role.name == "agent":
        return [_agents_address("", role)]
    because = (
        "the venue does not know wallet_address: the engine sends nothing. Deposit USDC to it, or correct "
        f"wallet_address and private_key in {WHERE}"
    )
    return [Problem(Scope.ALL, "unknown_wallet", because)]


def _agents_address(address: str, role: codec.Role) -> Problem:
    because = (
        f"the address {address}".rstrip() + f" in {WHERE} is that of an API wallet (agent), whose account reads empty "
        f"whatever is open: the engine sends nothing. Put the address of its master, {role.of or 'your own wallet'}, "
        "into wallet_address; private_key stays the API wallet's"
    )
    return Problem(Scope.ALL, "agent_address", because)


def _called(role: codec.Role, *, article: bool = False) -> str:
    words = {
        "subAccount": ("a", "sub-account"),
        "vault": ("a", "vault"),
        "user": ("an", "account of its own"),
        "missing": ("an", "address the venue does not know"),
    }
    before, name = words.get(role.name, ("a", role.name))
    return f"{before} {name}" if article else name
