"""Hyperliquid over REST: the two endpoints, who signed, limits, and how answers look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from core.ports import Request, Response, StreamRequest
from simulator import facades
from simulator.exchange import Exchange
from simulator.facades import Match, RequestCounts, Session
from simulator.facades.hyperliquid import account, actions, limits, public, queries, signing
from simulator.facades.hyperliquid.codes import EXPIRED, OF_AN_ACTION, OF_AN_ORDER, RATE, UNREADABLE, UNRECOVERABLE
from simulator.facades.hyperliquid.context import ADDRESS, Behaviour, Call, Malformed, Question, Traded, Venue
from simulator.facades.hyperliquid.news import News
from simulator.facades.hyperliquid.signing import Unreadable
from simulator.facades.hyperliquid.stream import PATH, Crowd, StreamSession
from simulator.facades.hyperliquid.wallets import Nonces, Refusal, Wallets
from simulator.facades.lag import Lag
from simulator.facades.parts import Json, Tally, Target, Window, ms
from simulator.model import Refused
from simulator.strict import StrictError, loads

JSON_TYPE = {"content-type": "application/json"}
TEXT_TYPE = {"content-type": "text/plain; charset=utf-8"}
INFO, EXCHANGE, STREAM = "POST /info", "POST /exchange", f"GET {PATH}"


@dataclass(frozen=True, slots=True)
class Route:
    """A question. `also`: what else a fault may be aimed at that meets it."""

    handler: Question
    match: Match = Match.OTHER
    also: Match | None = None


QUESTIONS: Mapping[str, Route] = {
    "meta": Route(public.meta, Match.INSTRUMENTS),
    "metaAndAssetCtxs": Route(public.meta_and_contexts, Match.PRICES, Match.INSTRUMENTS),
    "allMids": Route(public.all_mids, Match.PRICES),
    "l2Book": Route(public.l2_book, Match.PRICES),
    "candleSnapshot": Route(public.candles, Match.PRICES),
    "spotMeta": Route(public.spot_meta),
    "spotMetaAndAssetCtxs": Route(public.spot_meta_and_contexts),
    "perpDexs": Route(public.perp_dexs),
    "exchangeStatus": Route(public.exchange_status),
    "fundingHistory": Route(public.funding_history),
    "clearinghouseState": Route(account.clearinghouse, Match.POSITIONS, Match.EQUITY),
    "spotClearinghouseState": Route(account.spot_state),
    "activeAssetData": Route(account.active_asset),
    "userRole": Route(account.role),
    "vaultDetails": Route(account.vault_details),
    "extraAgents": Route(account.extra_agents),
    "subAccounts": Route(account.sub_accounts),
    "userAbstraction": Route(account.abstraction),
    "orderStatus": Route(queries.status, Match.ORDER_QUERY),
    "openOrders": Route(queries.open_orders, Match.ORDER_QUERY),
    "frontendOpenOrders": Route(queries.frontend_open_orders, Match.ORDER_QUERY),
    "historicalOrders": Route(queries.historical_orders, Match.ORDER_QUERY),
    "userFills": Route(queries.user_fills, Match.ORDER_QUERY),
    "userFillsByTime": Route(queries.user_fills_by_time, Match.ORDER_QUERY),
    "userFunding": Route(queries.user_funding),
}
RATE_LIMIT = "userRateLimit"
OF_A_USER = {RATE_LIMIT, *(name for name, it in QUESTIONS.items() if it.handler.__module__ != public.__name__)}
OF_A_USER -= {"vaultDetails"}
"""Questions about one address."""
MATCHES: Mapping[str, tuple[Match, Match | None]] = {
    "order": (Match.ORDER_CREATE, None),
    "updateLeverage": (Match.LEVERAGE, Match.MARGIN_MODE),
}
ENDPOINTS = frozenset(
    {
        STREAM,
        *(f"{INFO} {kind}" for kind in (*QUESTIONS, RATE_LIMIT)),
        *(f"{EXCHANGE} {kind}" for kind in actions.ACTIONS),
    }
)
"""As they are counted: with what is asked or done."""


@dataclass(frozen=True, slots=True)
class Action:
    """What stands in a body to `/exchange`. `vault` lower case, `nonce` and `expires_ms` milliseconds."""

    action: Json
    nonce: int
    vault: str | None
    expires_ms: int | None
    signature: object

    @staticmethod
    def of(body: Json) -> Action:
        """Raises `Unreadable`."""
        action, nonce, vault, expires = (body.get(it) for it in ("action", "nonce", "vaultAddress", "expiresAfter"))
        if not isinstance(action, dict):
            raise Unreadable
        if vault is not None and not (isinstance(vault, str) and ADDRESS.fullmatch(vault)):
            raise Unreadable
        place = None if vault is None else "0x" + str(vault).removeprefix("0x").lower()
        until = None if expires is None else _whole(expires)
        return Action(signing.understood(action), _whole(nonce), place, until, body.get("signature"))

    def signers(self) -> tuple[str, ...]:
        """Raises `Unreadable`."""
        hashed = signing.connection(self.action, self.nonce, self.vault, self.expires_ms)
        return signing.signers(hashed, self.signature)


def _whole(value: object) -> int:
    """Raises `Unreadable`."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise Unreadable
    return value


class HyperliquidFacade:
    """One simulated Hyperliquid. See `simulator.facades.Facade` for the contract."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        behaviour: Behaviour | None = None,
        vaults: Mapping[str, str] | None = None,
        sub_accounts: Mapping[str, str] | None = None,
    ) -> None:
        """`vaults`, `sub_accounts`: account -> the account whose wallets trade it; every other one is a master."""
        wallets = Wallets(exchange, vaults or {}, sub_accounts or {})
        behaves = behaviour or Behaviour()
        lag = Lag(exchange, behaves.read_lag_s)
        self._venue = Venue(exchange, wallets, behaves, Traded(exchange), lag)
        self._minute = limits.Minute()
        self._actions: dict[str, limits.Actions] = {}
        self._nonces = Nonces()
        self._news = News(self._venue)
        self._crowd = Crowd(limits.USERS)
        self._connections = Window(*limits.CONNECTIONS)
        self._tally = Tally(ENDPOINTS)

    @property
    def venue(self) -> str:
        return self._venue.exchange.venue

    @property
    def wallets(self) -> Wallets:
        return self._venue.wallets

    # --- for the server -----------------------------------------------------------------------------------------------

    def classify(self, request: Request) -> facades.Call:
        endpoint = Target.of(request).endpoint
        if endpoint == STREAM and request.headers.get("upgrade", "").lower() == "websocket":
            return facades.Call(Match.STREAM, None, endpoint)
        try:
            body = loads(request.body)
            if endpoint == INFO:
                kind = str(body.get("type"))
                route = QUESTIONS.get(kind, Route(account.role))
                name = self._account_in(body.get("user"))
                return facades.Call(route.match, name, f"{INFO} {kind}", route.also)
            if endpoint == EXCHANGE:
                action = Action.of(body)
                kind = str(action.action["type"])
                match, also = MATCHES.get(kind, (Match.OTHER, None))
                return facades.Call(match, self._acting(action), f"{EXCHANGE} {kind}", also)
        except (StrictError, Unreadable):
            pass
        return facades.Call(Match.OTHER, None, endpoint)

    def _account_in(self, user: object) -> str | None:
        return self.wallets.account_at(user.lower()) if isinstance(user, str) else None

    def _acting(self, action: Action) -> str | None:
        for signer in action.signers():
            try:
                return self.wallets.acting(signer, action.vault)
            except Refusal:
                continue
        return None

    def counts(self) -> RequestCounts:
        return self._tally.counts()

    def credentials(self, account: str) -> Mapping[str, str]:
        """Those of the account's API wallet; of a vault or sub-account, its master's, and its own address."""
        leader = self.wallets.leader(account)
        own = {} if leader == account else {"vault_address": self.wallets.masters[account].address}
        return {
            "wallet_address": self.wallets.masters[leader].address,
            "private_key": f"0x{self.wallets.agents[leader].key}",
            **own,
        }

    def session(self, request: StreamRequest) -> Session | Response:
        """A session on `/ws`; 404 for any other path, 429 for one connection too many."""
        if path_of(request.url) != PATH:
            return Response(404, TEXT_TYPE, b"Not Found")
        self._tally.count(STREAM)
        if self._connections.take(self._venue.exchange.clock.monotonic()).exceeded:
            self._tally.over_limit()
            return Response(429, JSON_TYPE, b"null")
        return StreamSession(self._venue, self._news, self._crowd)

    def reject(self, request: Request, code: str) -> Response:
        """`code` is one of `codes`, or an HTTP status of three digits; anything else is a sentence of its own."""
        self._tally.count(self.classify(request).endpoint)
        if code.isdecimal() and len(code) == 3:
            return Response(int(code), JSON_TYPE, b"null")
        if code in OF_AN_ORDER:
            row = {"error": f"{OF_AN_ORDER[code]} asset=0"}
            return _answer({"status": "ok", "response": {"type": "order", "data": {"statuses": [row]}}})
        return _answer({"status": "err", "response": OF_AN_ACTION.get(code, code)})

    # --- requests -----------------------------------------------------------------------------------------------------

    def handle(self, request: Request) -> Response:
        endpoint = Target.of(request).endpoint
        if endpoint not in (INFO, EXCHANGE):
            self._tally.count(endpoint)
            return Response(404, TEXT_TYPE, b"Not Found")
        try:
            body = loads(request.body)
            return self._info(body) if endpoint == INFO else self._exchange(body)
        except (StrictError, Unreadable, Malformed):
            return Response(422, TEXT_TYPE, UNREADABLE)

    def _refused(self, weight: int) -> bool:
        if not self._minute.take(self._venue.exchange.clock.monotonic(), weight):
            return False
        self._tally.over_limit()
        return True

    def _info(self, body: Json) -> Response:
        kind = body.get("type")
        self._tally.count(f"{INFO} {kind}")
        if not isinstance(kind, str):
            raise Malformed
        if self._refused(limits.weight_of(kind)):
            return Response(429, JSON_TYPE, b"null")
        asked = Call(self._venue, body)
        if kind in OF_A_USER:
            asked = Call(self._venue, body, self.wallets.account_at(asked.address()))
        if kind == RATE_LIMIT:
            used = self._actions.get(asked.account or "", limits.Actions()).used
            return _answer(account.rate_limit(asked, used))
        if kind not in QUESTIONS:
            raise Malformed
        try:
            value = QUESTIONS[kind].handler(asked)
        except Refused:
            return Response(500, JSON_TYPE, b"null")
        rows = limits.extra_of(kind, len(value)) if isinstance(value, list) else 0
        self._minute.take(self._venue.exchange.clock.monotonic(), rows)
        return _answer(value)

    def _exchange(self, body: Json) -> Response:
        raw = body.get("action")
        kind = raw.get("type") if isinstance(raw, dict) else None
        self._tally.count(f"{EXCHANGE} {kind}")
        batch = actions.batch(raw) if isinstance(raw, dict) else 1
        if self._refused(limits.weight_of_action(batch)):
            return Response(429, JSON_TYPE, b"null")
        action = Action.of(body)
        try:
            name, signer = self._door(action, batch)
            self._nonces.use(signer, action.nonce)
            done = actions.ACTIONS[str(action.action["type"])](actions.Act(self._venue, name, action.action))
        except Refusal as refusal:
            return _answer({"status": "err", "response": refusal.sentence})
        return _answer({"status": "ok", "response": done})

    def _door(self, action: Action, batch: int) -> tuple[str, str]:
        """The account that acts and who signed for it. Raises `Refusal`."""
        exchange = self._venue.exchange
        signers = action.signers()
        if not signers:
            raise Refusal(UNRECOVERABLE)
        known = [signer for signer in signers if self._may_sign(signer)]
        signer = (known or [*signers])[0]
        name = self.wallets.acting(signer, action.vault)
        self._nonces.check(signer, action.nonce, exchange.time())
        late = action.expires_ms is not None and ms(exchange.time()) > action.expires_ms
        count = limits.STALE if late else batch
        counted = self._actions.setdefault(name, limits.Actions())
        traded, cancels = self._venue.traded.of(name), "cancels" in action.action
        if counted.take(exchange.clock.monotonic(), count, traded, cancels=cancels):
            self._tally.over_limit()
            cap = limits.ACTIONS + int(traded)
            raise Refusal(RATE.format(used=counted.used, cap=cap, traded=traded.quantize(Decimal("0.01"))))
        if late:
            raise Refusal(EXPIRED)
        return name, signer

    def _may_sign(self, signer: str) -> bool:
        return self.wallets.account_at(signer) is not None or self.wallets.master_of_agent(signer) is not None


def path_of(url: str) -> str:
    return Target.of(Request("GET", url)).path


def _answer(value: object) -> Response:
    return Response(200, JSON_TYPE, json.dumps(value, separators=(",", ":")).encode())
