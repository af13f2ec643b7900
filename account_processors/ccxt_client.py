"""Any exchange of ccxt over our transport: its unified methods ask, our room and clock answer.

ccxt opens no connection here, keeps no rate limit, repeats nothing and loads nothing by itself: `fetch` is ours. Every
request takes its room before it is signed. What a unified method may send is said by the `Call` it runs in: an order
goes out once, as one request that names our id, and nothing else goes out beside it. `rehearse` runs the same method
without sending the order: it shows what would be on the wire, and lets ccxt learn beforehand what it wants to know.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ccxt.base import errors as sdk_errors

from account_processors.budget import Lease, Priority, Window
from account_processors.ccxt_exchange import Rehearsed, Unprepared, exchange_class, feature, linear_only, moved
from account_processors.codecs import ccxt_errors, ccxt_marks
from account_processors.codecs.ccxt import has_list
from account_processors.codecs.ccxt_facts import Facts, Limit, resolved, wire
from account_processors.codecs.wire import Malformed, Row, epoch_s, table
from account_processors.reading import usable
from account_processors.venue_clock import VenueClock
from account_processors.wiring import Wiring, pause_s, without_secrets
from core.errors import EngineError, TransportError, Unavailable
from core.ports import Request, Response

UNREADABLE = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, AssertionError)
"""What ccxt's parsers end in when an answer is not as they expect."""
RATE_SHARE = 0.5
"""Of what ccxt states as an exchange's rate: published limits differ by endpoint, ccxt knows one."""
MAX_PER_S = 5.0
SPAN_S = 5.0
RESTS_S = 60.0
"""After a refusal for the rate that names no time."""
TOO_MANY = 429
SHUT_OUT = (403, 418, TOO_MANY)
RESERVE = 0.9
"""Share of the address' room that is left for reductions alone."""


class Kind(StrEnum):
    READ = "read"
    SETTING = "setting"
    ORDER = "order"
    REHEARSAL = "rehearsal"


@dataclass(eq=False, slots=True)
class Call:
    """One unified method on its way. `client_id` marks the request that is the order."""

    kind: Kind
    priority: Priority = Priority.READ
    client_id: str = ""
    stamp_ms: int | None = None
    lease: Lease | None = None
    order: Request | None = None
    """The request that was, or would have been, sent as the order."""
    before: int = 0
    """Requests that came before it."""
    leaves_out: frozenset[str] = frozenset()
    """Parameters that do not go along, whatever ccxt says."""
    adds: Mapping[str, Any] = field(default_factory=dict)
    status: int = 0
    """Of the last answer."""
    answer: Any = None
    requests: int = 0
    sent_at: float = 0.0
    received_at: float = 0.0


_CALL: ContextVar[Call] = ContextVar("call")


@dataclass(eq=False)
class CcxtClient:
    """One key at one exchange. `read`, `setting`, `order` and `rehearse` each run a unified method in its `Call`."""

    wiring: Wiring
    exchange: str
    keys: Mapping[str, str]
    """By ccxt's names; empty for public data."""
    base_url: str | None
    facts: Facts
    venue_clock: VenueClock = field(init=False)

    def __post_init__(self) -> None:
        self.venue_clock = VenueClock(self.wiring.clock)
        # A session that is given is not made.
        made = exchange_class(self.exchange)({**self.keys, "enableRateLimit": False, "session": object()})
        made._line = self
        self._marks = ccxt_marks.values(made.options)
        options = ccxt_marks.cleaned(made.options)
        linear_only(options)
        options |= {"defaultType": "swap", "defaultSubType": "linear", "builderFee": False, "refSet": True}
        made.options = {**options, **self.facts.options}
        made.number = str  # ccxt's own choice of exactness: numbers stay as they were written
        made.has["fetchCurrencies"] = False
        if self.base_url is not None:
            made.urls["api"] = moved(made.urls["api"], self.base_url)
        self.sdk: Any = made
        self.facts = resolved(self.facts, self.has, self.feature)
        self._requests = self.facts.requests or (stated_limit(made.rateLimit),)
        self._orders = Window(f"orders of {self.wiring.owner}", *self.facts.orders)
        self._signed = Window(f"requests of {self.wiring.owner}", *(self.facts.signed or self._requests[0]))
        self._pending: Lease | None = None
        self._stamp_ms = 0
        self._doubtful = False

    def __repr__(self) -> str:
        return f"CcxtClient({self.wiring.owner})"

    def has(self, method: str) -> bool:
        return bool(self.sdk.has.get(method))

    def feature(self, method: str, name: str) -> Any:
        """What ccxt states of a method for linear perpetuals; None where it states nothing."""
        return feature(self.sdk, method, name)

    @property
    def reads_per_s(self) -> float:
        limits = (*self._requests, *([self.facts.signed] if self.facts.signed else []))
        return min(limit / span_s for limit, span_s in limits)

    # --- unified methods ----------------------------------------------------------------------------------------------

    async def read(self, method: str, *arguments: Any) -> Any:
        """A unified read. Raises `Denied` or `Unavailable`."""
        return (await self.timed(method, *arguments))[0]

    async def listing(self, method: str, *arguments: Any) -> tuple[list[Row], Call]:
        """A unified read of a list: objects, or `Unavailable`. ccxt makes an empty list of anything it cannot read, so
        an empty one counts only where the answer had a list in it."""
        found, call = await self.timed(method, *arguments)
        with usable(self.place(method)):
            rows = [table(row, "a row") for row in found]
            if not rows and not has_list(call.answer, self.facts.answers):
                raise Malformed("there is no list in it")
        return rows, call

    async def learn_time(self) -> None:
        """From the exchange's clock, where ccxt reads it."""
        if not self.has("fetchTime"):
            return
        sent_at = self.wiring.clock.monotonic()
        told = await self.read("fetch_time")
        with usable(self.place("fetch_time")):
            self.venue_clock.learn(epoch_s({"time": told}, "time"), sent_at, self.wiring.clock.monotonic())
        self._doubtful = False

    def answered(self, parsed: Any) -> bool:
        """Whether an answer that was no error is a good one; what it says is kept with the call."""
        _CALL.get().answer = parsed
        said = parsed if isinstance(parsed, dict) else {}
        return all(str(said.get(name)).lower() == value for name, value in self.facts.good.items())

    def doubt_time(self) -> None:
        """The exchange did not like our time: it is asked before anything else."""
        self._doubtful = True

    async def timed(self, method: str, *arguments: Any) -> tuple[Any, Call]:
        """A unified read, and the call with the times of its last request."""
        call = Call(Kind.READ)
        return await self._run(call, method, arguments, lambda error: self._of_read(method, error, call)), call

    async def find(self, method: str, *arguments: Any) -> Any | None:
        """A unified lookup; None where the exchange says that there is no such order."""
        call = Call(Kind.READ)
        try:
            return await self._within(call, method, arguments)
        except sdk_errors.OrderNotFound as error:
            if call.status >= ccxt_errors.FAILS:
                raise self._of_read(method, error, call) from None
            return None
        except (sdk_errors.BaseError, TransportError, Unprepared, *UNREADABLE) as error:
            raise self._of_read(method, error, call) from None

    async def setting(self, method: str, *arguments: Any) -> None:
        """A unified change of a setting; returns when it is as asked or so already."""

        def judged(error: Exception) -> EngineError | None:
            if isinstance(error, TransportError):
                return Unavailable(f"{error}; whether the setting took hold is read back")
            return ccxt_errors.of_setting(self.seen(error, call), self.place(method), self.facts)

        call = Call(Kind.SETTING, Priority.INCREASE)
        await self._run(call, method, arguments, judged)

    async def order(self, call: Call, method: str, *arguments: Any) -> Any:
        """An order or a cancel; what is raised is ccxt's or the transport's own, to be judged with `call`."""
        return await self._within(call, method, self._wired(call, arguments))

    def _wired(self, call: Call, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments of an order for ccxt; `call` gets what ccxt does otherwise than the engine."""
        if not isinstance(arguments[-1], dict):
            return arguments
        found = wire(self.facts, arguments[-1])
        call.leaves_out, call.adds = found.leaves_out, found.adds
        return (*arguments[:-1], dict(found.words))

    async def rehearse(self, client_id: str, method: str, *arguments: Any) -> Call:
        """The order as it would go out. Raises `Unavailable`, `Denied` or `Unprepared` where it would not."""
        call = Call(Kind.REHEARSAL, Priority.READ, client_id)
        arguments = self._wired(call, arguments)
        try:
            await self._within(call, method, arguments)
        except Rehearsed:
            return call
        except (sdk_errors.BaseError, TransportError, *UNREADABLE) as error:
            if call.requests:
                raise self._of_read(method, error, call) from None
            raise Unprepared(f"ccxt does not make the order ({self.seen(error, call).words})") from None
        raise Unprepared("ccxt's order does not name our id")

    async def _run(
        self, call: Call, method: str, arguments: tuple[Any, ...], judged: Callable[[Exception], EngineError | None]
    ) -> Any:
        try:
            return await self._within(call, method, arguments)
        except (sdk_errors.BaseError, TransportError, Unprepared, *UNREADABLE) as error:
            if (verdict := judged(error)) is not None:
                raise verdict from None
            return None

    async def _within(self, call: Call, method: str, arguments: tuple[Any, ...]) -> Any:
        if self._doubtful and call.kind is not Kind.ORDER and method != "fetch_time":
            await self.wiring.shared.once(f"time for {self.wiring.owner}", 0.0, self.learn_time)
        before = _CALL.set(call)
        try:
            asked: Awaitable[Any] = getattr(self.sdk, method)(*arguments)
            return await asked
        finally:
            _CALL.reset(before)

    # --- what ccxt sends through --------------------------------------------------------------------------------------

    def now_ms(self) -> int:
        """The order's own stamp; where something is signed one later than every one before; else just the time."""
        call = _CALL.get(None)
        if call is not None and call.stamp_ms is not None:
            return call.stamp_ms
        if self._pending is not None:
            self._stamp_ms = self._stamp_ms or self.venue_clock.stamp_ms()
            return self._stamp_ms  # one for all of one request
        if call is not None and call.kind is Kind.SETTING:
            return self.venue_clock.stamp_ms()
        return int(self.venue_clock.now() * 1000)

    def allowed(self, params: Any) -> Any:
        """Parameters as they may be signed: without marks, and without what this call leaves out."""
        kept = ccxt_marks.without(params or {})
        call = _CALL.get()
        if call.kind in (Kind.ORDER, Kind.REHEARSAL) and isinstance(kept, dict):
            return {name: value for name, value in kept.items() if name not in call.leaves_out} | dict(call.adds)
        return kept

    async def take_room(self, cost: Any) -> Lease:
        """Room for the next request of the present call; stamps are then strictly increasing until it is sent."""
        call = _CALL.get()
        lease, call.lease = call.lease, None
        if lease is None:
            lease = await self.room(call.kind, call.priority, cost)
        self._pending, self._stamp_ms = lease, 0
        return lease

    def give_back(self, lease: Lease) -> None:
        """The request of this room is over; it may not have been sent at all."""
        if self._pending is lease:
            self._pending = None
        lease.done()

    def rest(self, rests_s: float | None) -> None:
        """The exchange refused for the rate: nobody at this address asks for a while."""
        until = self.wiring.clock.monotonic() + (rests_s or RESTS_S)
        for window in self._address():
            window.close(until)

    def _rests_s(self, status: int) -> float:
        return RESTS_S if status == TOO_MANY else self.facts.banned_s

    def _address(self, share: float = 1.0, name: str = "this address") -> list[Window]:
        shared = self.wiring.shared
        return [shared.window(f"{name}, {of:.0f} s", max(int(limit * share), 1), of) for limit, of in self._requests]

    async def room(self, kind: Kind, priority: Priority, cost: Any = 1) -> Lease:
        """Raises `Unavailable` where there is none within the deadline."""
        wiring = self.wiring
        windows = self._address()
        if priority is not Priority.REDUCTION:
            windows += self._address(RESERVE, "this address, reductions apart")
        if self.keys and self.facts.signed:
            windows.insert(0, self._signed)
        if kind in (Kind.ORDER, Kind.SETTING):
            windows.insert(0, self._orders)
        most = min(window.published for window in windows)
        weight = 1 if self.facts.proven else min(max(int(float(cost)), 1), most)
        return await wiring.shared.budget.acquire(windows, priority, wiring.owner, wiring.deadline_s, weight)

    async def send(self, url: str, method: str, headers: Any, body: Any) -> Response:
        """Sends what ccxt signed, if the present call may send it. Raises `Unprepared`, `Rehearsed`, or transport's."""
        self._pending = None
        call, wiring = _CALL.get(), self.wiring
        request = self._request(url, method, headers, body)
        self._allow(call, request)
        call.sent_at, call.requests = wiring.clock.time(), call.requests + 1
        response = await wiring.transport.send(request)
        call.status = response.status
        call.received_at = response.received_at or wiring.clock.time()
        if response.status in SHUT_OUT:
            self.rest(pause_s(response.headers.get("retry-after")) or self._rests_s(response.status))
        return Response(
            response.status,
            response.headers,
            without_secrets(response.body, self.keys.values()),
            response.received_at,
            response.elapsed_s,
        )

    def _request(self, url: str, method: str, headers: Any, body: Any) -> Request:
        if not isinstance(body, str | bytes | None):
            raise Unprepared("ccxt sends a form here, which the engine does not")
        text = body.decode(errors="replace") if isinstance(body, bytes) else body
        if (name := ccxt_marks.found(url, text, self._marks)) is not None:
            raise Unprepared(f"ccxt marks its requests for somebody else here ({name}), which the engine never sends")
        kept = {name: str(value) for name, value in (headers or {}).items()}
        kept = {name: value for name, value in kept.items() if not ccxt_marks.is_header(name, value)}
        return Request(method, url, kept, (text or "").encode(), self.wiring.deadline_s)

    def _allow(self, call: Call, request: Request) -> None:
        if call.kind in (Kind.READ, Kind.SETTING):
            return
        is_order = call.client_id in request.url or call.client_id.encode() in request.body
        if call.order is not None:
            raise Unprepared("ccxt wants to send something after the order")
        if is_order:
            call.order = request
            if call.kind is Kind.REHEARSAL:
                raise Rehearsed
            return
        call.before += 1
        if call.kind is Kind.ORDER or request.method != "GET":
            raise Unprepared("ccxt wants to send something else before the order")

    # --- errors -------------------------------------------------------------------------------------------------------

    def place(self, method: str) -> str:
        return f"{self.exchange} {method}"

    def seen(self, error: Exception, call: Call) -> ccxt_errors.Seen:
        """An exception without our secrets."""
        kinds = tuple(kind.__name__ for kind in type(error).__mro__ if kind is not object)
        words = without_secrets(str(error).encode(), self.keys.values()).decode(errors="replace")
        exact = getattr(error, "exact_code", "")
        code = exact or getattr(error, "told_code", "")
        return ccxt_errors.Seen(kinds, code, bool(exact), words, call.status, call.requests > 0)

    def _of_read(self, method: str, error: Exception, call: Call) -> EngineError:
        if isinstance(error, TransportError):
            return Unavailable(f"{self.exchange} did not answer ({error}); what was asked stays unknown")
        if isinstance(error, Unprepared):
            return Unavailable(f"{self.place(method)}: {error}")
        return ccxt_errors.of_read(self.seen(error, call), self.place(method), self.facts)


def stated_limit(rate_limit_ms: float) -> Limit:
    """A cautious share of the rate ccxt states (milliseconds from one request to the next)."""
    per_s = min(RATE_SHARE * 1000 / float(rate_limit_ms), MAX_PER_S)
    span_s = max(SPAN_S, 2 / per_s)
    return max(int(per_s * span_s), 1), span_s
