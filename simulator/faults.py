"""Faults on demand: which requests they meet, and what then goes wrong.

A fault names a venue, what to meet (`Match`, optionally one account), a kind, and how often: `count` times (0: until it
is deleted) and, where it has one, with a `probability` drawn from the seed. Faults that meet one request act together;
of those that end it (all but `delay_ms`, `duplicate`, `stale_positions_ms`, `partial_fill`, `accept_duplicate_ids`)
only the oldest.

    kind                  what happens                                                      value (default)       landed
    drop_before           the connection closes and the request was never seen              -                     no
    drop_after            the request is executed, then the connection closes unanswered    -                     yes
    delay_ms              it waits before it is executed; landed: only the answer waits     milliseconds          (no)
    duplicate             it is delivered twice, as by a proxy; answered is the one       1 or 2 (1)              -
    status                an HTTP status of a gateway in between                            100..599 (502)        (no)
    reset                 the connection is reset                                           -                     (no)
    garbage               an answer cut in the middle, or `value` in its place              text                  (yes)
    empty                 an answer without a body                                          -                     (yes)
    hang                  nothing comes, the connection stays open                          milliseconds          (no)
    stale_positions_ms    positions read as they were that long ago                         milliseconds          -
    partial_fill          the order finds a counterparty for this share only                0..1 (0.5)            -
    reject_code           the venue refuses with this code of its own                       the code              no
    accept_duplicate_ids  a client id that exists is taken again                            -                     -

`landed` says whether the venue executed the request all the same; in brackets, `"landed": true|false` chooses.

Aimed at `stream`, a fault meets the handshake of a websocket (`drop_before`, `reset`, `hang`, `delay_ms`, `status`) and
the messages of its topics, whatever the topic; answers to the client's own frames are spared, but for `hang`:

    drop_before, reset    an open stream closes at once, and what is under way on it is lost
    drop_after            the stream closes after the next message
    hang                  an open stream goes silent at once, for `value` ms; what it had to say meanwhile is lost
    delay_ms              the message is late, and those behind it too: a stream keeps its order
    garbage, empty        the message is cut in the middle or replaced by `value`, or has no text
    ws_gap                the message never comes; with a `value`, that many in a row for one hit
    ws_duplicate          the message comes twice; with a `value`, that many in a row for one hit

With a `probability` every message is asked, also by those that otherwise act at once. An `account` is that of the
stream's login. `any` is every request, handshakes included, and for `ws_gap` and `ws_duplicate` every message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from simulator.facades import Call, Match
from simulator.model import Conditions

ANY = "any"
ONE = Decimal(1)
MAX_DELAY_MS = 600_000
HANG_S = 600.0
"""How long a hanging connection stays open when no value says otherwise; the client's deadline is shorter."""
FAIR = Conditions()
MAX_FAULTS = 1_000
DRAWS = 1 << 53


class Kind(StrEnum):
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    DELAY_MS = "delay_ms"
    DUPLICATE = "duplicate"
    STATUS = "status"
    RESET = "reset"
    GARBAGE = "garbage"
    EMPTY = "empty"
    HANG = "hang"
    STALE_POSITIONS_MS = "stale_positions_ms"
    PARTIAL_FILL = "partial_fill"
    REJECT_CODE = "reject_code"
    ACCEPT_DUPLICATE_IDS = "accept_duplicate_ids"
    WS_GAP = "ws_gap"
    WS_DUPLICATE = "ws_duplicate"


MESSAGE_KINDS = frozenset({Kind.WS_GAP, Kind.WS_DUPLICATE})
"""Act on messages of open streams and on nothing else."""
AT_ONCE = frozenset({Kind.DROP_BEFORE, Kind.RESET, Kind.HANG})
"""Do not wait for a message."""
AT_HANDSHAKE = AT_ONCE | {Kind.DELAY_MS, Kind.STATUS}
IN_STREAM = AT_ONCE | MESSAGE_KINDS | {Kind.DROP_AFTER, Kind.DELAY_MS, Kind.GARBAGE, Kind.EMPTY}
ON_STREAMS = AT_HANDSHAKE | IN_STREAM
"""What can be aimed at `stream`."""


class Ending(StrEnum):
    """What the client gets to see."""

    ANSWER = "answer"
    CLOSE = "close"
    RESET = "reset"
    HANG = "hang"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happens to one request: waits `before_s`, is executed or not, waits `after_s`, and ends.

    Of `status`, `cut`, `empty` and `code` at most one is set: how the answer is spoilt.
    """

    before_s: float = 0.0
    after_s: float = 0.0
    landed: bool = True
    answers: tuple[int, int] = (1, 1)
    """How often the request arrives, and the answer to which of these the client gets."""
    ending: Ending = Ending.ANSWER
    status: int | None = None
    cut: bool = False
    garbage: bytes | None = None
    """What a cut answer is replaced with; None: its own first half."""
    empty: bool = False
    code: str | None = None
    hang_s: float = HANG_S
    conditions: Conditions = FAIR


CLEAN = Verdict()

ENDINGS: dict[Kind, tuple[Verdict, bool | None]] = {
    Kind.DROP_BEFORE: (Verdict(landed=False, ending=Ending.CLOSE), None),
    Kind.DROP_AFTER: (Verdict(ending=Ending.CLOSE), None),
    Kind.STATUS: (Verdict(status=502), False),
    Kind.RESET: (Verdict(ending=Ending.RESET), False),
    Kind.GARBAGE: (Verdict(cut=True), True),
    Kind.EMPTY: (Verdict(empty=True), True),
    Kind.HANG: (Verdict(ending=Ending.HANG), False),
    Kind.REJECT_CODE: (Verdict(landed=False), None),
}
"""How a request ends, and whether it lands unless `landed` says otherwise; None: that is fixed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, validated. `left` counts down from `count`; None: until deleted. `asked`: draws of a probability."""

    id: int
    venue: str
    match: str
    kind: Kind
    account: str | None = None
    value: Decimal | str | None = None
    left: int | None = 1
    probability: Decimal | None = None
    landed: bool | None = None
    hits: int = 0
    asked: int = 0

    def meets(self, venue: str, call: Call) -> bool:
        """Whether it acts on a request, or on the handshake of a stream."""
        return (
            self.left != 0
            and self.venue == venue
            and self.match in (ANY, call.match, call.also)
            and self.account in (None, call.account)
            and (self.kind in AT_HANDSHAKE if call.match is Match.STREAM else self.kind not in MESSAGE_KINDS)
        )

    def meets_stream(self, venue: str, account: str | None) -> bool:
        """Whether it acts inside an open stream."""
        return (
            self.left != 0
            and self.venue == venue
            and self.kind in IN_STREAM
            and (self.match == Match.STREAM or (self.match == ANY and self.kind in MESSAGE_KINDS))
            and self.account in (None, account)
        )

    @property
    def ends(self) -> bool:
        return self.kind in ENDINGS or self.kind is Kind.WS_GAP


class Faults:
    """All faults in force. One instance serves every venue of a world."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._last_id = 0
        self._by_id: dict[int, Fault] = {}
        self._listeners: list[Callable[[], None]] = []

    def add(self, make: Callable[[int], Fault]) -> Fault:
        """Adds the fault that `make` builds for a new id. Raises `OverflowError` above `MAX_FAULTS`."""
        if len(self._by_id) >= MAX_FAULTS:
            raise OverflowError(f"{MAX_FAULTS} faults are kept already; delete some")
        self._last_id += 1
        fault = self._by_id[self._last_id] = make(self._last_id)
        for listener in tuple(self._listeners):
            listener()
        return fault

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Calls `listener` after every new fault. Returns what ends it. A listener must not raise."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def all(self) -> tuple[Fault, ...]:
        """Every fault not deleted, spent ones with their hits included, oldest first."""
        return tuple(self._by_id.values())

    def delete(self, fault_id: int | None = None) -> int:
        """Deletes one fault, or all; how many that were."""
        gone = len(self._by_id) if fault_id is None else int(fault_id in self._by_id)
        if fault_id is None:
            self._by_id.clear()
        else:
            self._by_id.pop(fault_id, None)
        return gone

    def verdict(self, venue: str, classify: Callable[[], Call]) -> Verdict:
        """What happens to a request. Counts the hits; `classify` is asked only where a fault could meet it."""
        standing = [fault for fault in self._by_id.values() if fault.left != 0 and fault.venue == venue]
        if not standing:
            return CLEAN
        call = classify()
        return combined(self._striking(fault for fault in standing if fault.meets(venue, call)))

    def at_once(self, venue: str, account: str | None, *, silent: bool) -> Fault | None:
        """The fault that ends or silences an open stream now, if one does. A `silent` one is not silenced again."""
        for fault in tuple(self._by_id.values()):
            acts = fault.kind in AT_ONCE and fault.probability is None and not (silent and fault.kind is Kind.HANG)
            if acts and fault.meets_stream(venue, account) and self._strikes(fault):
                return fault
        return None

    def in_stream(self, venue: str, account: str | None) -> list[Fault]:
        """The faults that strike one message of an open stream. Counts the hits; what is swallowed meets no other."""
        meeting = [fault for fault in self._by_id.values() if fault.meets_stream(venue, account)]
        gaps = [fault for fault in meeting if fault.kind is Kind.WS_GAP]
        return self._striking(gaps) or self._striking(fault for fault in meeting if fault.kind is not Kind.WS_GAP)

    def _striking(self, meeting: Iterable[Fault]) -> list[Fault]:
        """Those that strike. They act together, but only the oldest of those that end what they meet does so."""
        met, ended = [], False
        for fault in meeting:
            if not (ended and fault.ends) and self._strikes(fault):
                met.append(self._by_id[fault.id])
                ended = ended or fault.ends
        return met

    def _strikes(self, fault: Fault) -> bool:
        """Draws where a probability decides; counts the draw and the hit."""
        asked = fault.asked + 1
        struck = fault.probability is None or self._draw(fault) < fault.probability
        left = fault.left if fault.left is None or not struck else fault.left - 1
        self._by_id[fault.id] = replace(fault, asked=asked, hits=fault.hits + struck, left=left)
        return struck

    def _draw(self, fault: Fault) -> Decimal:
        """A number in [0, 1), a function of the seed, the fault and how often it was asked."""
        text = f"{self._seed}/fault/{fault.id}/{fault.asked}".encode()
        return Decimal(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest()) % DRAWS) / DRAWS


def combined(faults: Iterable[Fault]) -> Verdict:
    """What several faults on one request amount to. At most one of them ends it."""
    verdict = CLEAN
    for fault in faults:
        if fault.ends:
            verdict = _ended(verdict, fault)
        elif fault.kind is Kind.DUPLICATE:
            verdict = replace(verdict, answers=(2, int(fault.value) if isinstance(fault.value, Decimal) else 1))
        elif fault.kind is Kind.DELAY_MS:
            delay_s = float(number(fault) / 1000)
            if fault.landed:
                verdict = replace(verdict, after_s=verdict.after_s + delay_s)
            else:
                verdict = replace(verdict, before_s=verdict.before_s + delay_s)
        else:
            verdict = replace(verdict, conditions=_condition(verdict.conditions, fault))
    return verdict


def _ended(verdict: Verdict, fault: Fault) -> Verdict:
    shape, lands = ENDINGS[fault.kind]
    if fault.kind is Kind.STATUS and fault.value is not None:
        shape = replace(shape, status=int(number(fault)))
    if fault.kind is Kind.HANG and fault.value is not None:
        shape = replace(shape, hang_s=float(number(fault) / 1000))
    if fault.kind is Kind.GARBAGE and fault.value is not None:
        shape = replace(shape, garbage=str(fault.value).encode())
    if fault.kind is Kind.REJECT_CODE:
        shape = replace(shape, code=str(fault.value))
    if lands is not None:
        shape = replace(shape, landed=lands if fault.landed is None else fault.landed)
    return replace(
        shape,
        answers=verdict.answers,
        before_s=verdict.before_s,
        after_s=verdict.after_s,
        conditions=verdict.conditions,
    )


def _condition(conditions: Conditions, fault: Fault) -> Conditions:
    if fault.kind is Kind.STALE_POSITIONS_MS:
        stale_s = float(number(fault) / 1000)
        return replace(conditions, stale_positions_s=max(stale_s, conditions.stale_positions_s))
    if fault.kind is Kind.PARTIAL_FILL:
        share = Decimal("0.5") if fault.value is None else number(fault)
        return replace(conditions, partial_fill=min(share, conditions.partial_fill or ONE))
    return replace(conditions, accept_duplicate_ids=True)


def number(fault: Fault) -> Decimal:
    """The value of a fault whose kind takes a number."""
    assert isinstance(fault.value, Decimal), f"fault {fault.id} was not validated"
    return fault.value


def aims() -> tuple[str, ...]:
    """What a fault can be aimed at."""
    return (*(match.value for match in Match if match is not Match.OTHER), ANY)
