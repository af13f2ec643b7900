"""What a venue brings to the contract suite. Everything else the suite reads from `capabilities` and instruments."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from account_processors.codecs.verdicts import Verdict
from core.domain import Capabilities, ClientId, PlaceOrder, Symbol
from core.ports import Request
from simulator.exchange import Exchange
from simulator.facades import Facade
from tests.contract import adapter_bench
from tests.contract.adapter_bench import Bench, Place, Scenario, T

NOWHERE = Symbol("NOSUCHUSDT")
BadRead = tuple[str, str | int | None]
"""Kind and value of a fault."""


@dataclass(frozen=True)
class Codes:
    """The venue's own codes, as text."""

    success: str
    proven: Mapping[str, Verdict]
    """What its error table says of an answer to an order."""
    unproven: tuple[str, ...]
    """Codes after which an order may stand all the same, and some nobody knows: none may be in the table."""
    no_trade_right: str
    """Refuses an order of a key without the right."""
    nothing_to_reduce: str
    """Refuses a reduce-only order when flat."""
    wrong: Mapping[str, str]
    """Credential field -> code of the refusal when that field is wrong."""
    duplicate_id: str | None = None
    """Refuses a client id that exists. None: the venue takes it twice."""


@dataclass(frozen=True)
class Burst:
    """Orders at once, above the venue's limit, which take no longer than `windows` of `window_s` each."""

    orders: int
    windows: int
    window_s: float
    at_once: int = 10
    """Orders that go in one round trip."""


@dataclass(frozen=True)
class Ban:
    """The code with which the venue shuts an address out, and how long all its accounts then rest."""

    code: str
    rests_s: float


@dataclass(frozen=True)
class VenueBench:
    """One venue's part of the suite: `tests/contract/<venue>_bench.py` exports it as `BENCH`."""

    place: Place
    create: str
    """Method and path of the request that places an order."""
    intent: Callable[[Request], tuple[PlaceOrder, ClientId]]
    """The order a request to `create` stands for, read from what is on the wire."""
    codes: Codes
    burst: Burst
    headers: frozenset[str]
    """Every header a request may carry, in lower case."""
    stamp: Callable[[Request], str | None]
    """What makes a signed request unique for its key (timestamp, nonce); None where it is not signed."""
    proves_nothing: tuple[str, ...] = ()
    """Answers to an order, with HTTP 200, which do not prove what became of it (beyond broken JSON)."""
    bad_reads: tuple[BadRead, ...] = ()
    """Answers in the venue's own words that are no valid read."""
    price_requests: tuple[int, int, int] = (1, 1, 1)
    """Requests for the prices of one, two and four symbols."""
    absent_after: tuple[str, ...] = ()
    """What is asked, in order, before an order counts as absent: method and path; () where that is not told here."""
    rests_s: float | None = None
    """How long the account rests after a bare 429; None where that is not told here."""
    ban: Ban | None = None
    open_orders: int = 123
    """How many rest at once in a test: more than a page of the venue holds."""
    nowhere: Symbol = NOWHERE
    """A symbol the venue does not list."""
    hedge_mode: bool = True
    """Accounts can be in hedge mode, and are told to leave it."""
    reads_are_signed: bool = True
    unstated: frozenset[str] = frozenset()
    """Facts of instruments the venue does not state, so that the adapter goes by rules of the venue."""
    empty_is_an_answer: bool = False
    """An empty list, and nothing else, is how the venue says that there is none of what was asked for."""
    wrong_values: Mapping[str, str] = field(default_factory=dict)
    """Credential field -> a wrong value, where it cannot be any text."""
    named: str = ""
    """Its name in the tests; '' for the venue's."""

    @property
    def name(self) -> str:
        return self.named or self.place.venue

    def __str__(self) -> str:
        """In test ids."""
        return self.name

    @property
    def capabilities(self) -> Capabilities:
        """Of an adapter that knows where the streams are."""
        return capabilities(replace(self.place, streams=True))

    def run(
        self,
        where: str,
        scenario: Scenario[T],
        *,
        rtt_s: float = 0.0,
        accounts: int = 2,
        streams: bool = False,
        build: Callable[[Exchange], Facade] | None = None,
    ) -> T:
        """`build` puts another facade on the exchange, for what the venue may do where nobody documents it."""
        kind = self.place.kind
        place = replace(self.place, streams=streams, kind=replace(kind, build=build or kind.build))
        return adapter_bench.run(place, where, scenario, rtt_s=rtt_s, accounts=accounts)


@lru_cache
def capabilities(place: Place) -> Capabilities:
    async def scenario(bench: Bench) -> Capabilities:
        return bench.adapter.capabilities

    return adapter_bench.run(place, "memory", scenario)
