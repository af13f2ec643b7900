"""The journal's fold: what each record makes of the memory, and that nothing is lost by compaction."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from core.domain import ClientId, MarginMode, OrderKind, PlaceOrder, Side, Sized, Symbol, Taken, TakenMode, TimeInForce
from core.errors import Corrupt
from core.memory import RECENT_IDS_KEPT, AccountMemory, SymbolMemory, fold, snapshot_records
from core.records import Intent, IntentState, intent_record, sized_record
from tests.unit.core.builders import BTC, ETH, NOW, PROPERTY, SN8, TV, d

Json = dict[str, Any]


def taken(contribution: str = "0.1", mode: TakenMode = TakenMode.FULL) -> Taken:
    return Taken(d(contribution), d("0.5"), NOW - 3, d("3.5"), d("0.2"), mode)


def sized(contracts: str = "10", generation: int = 1, **more: object) -> Sized:
    shares = {TV: taken(), SN8: replace(taken("-0.04"), leverage=None)}
    plain = Sized(generation, f"hash-{generation}", d(contracts), d(5), d("0.06"), shares, NOW, d(1000), d("50000.5"))
    return replace(plain, **more)  # type: ignore[arg-type]  # each test names the fields it varies


def order(signed: str = "5") -> PlaceOrder:
    reduces = d(signed) < 0
    return PlaceOrder(
        BTC,
        Side.of(d(signed)),
        abs(d(signed)),
        OrderKind.MARKET if reduces else OrderKind.LIMIT,
        None if reduces else d("100.5"),
        TimeInForce.IOC,
        reduces,
        d(5),
        MarginMode.ISOLATED,
        full_close=reduces,
    )


def intent(number: int = 1, signed: str = "5") -> Intent:
    return Intent(number, ClientId(f"id-{number}"), order(signed), 1, NOW, NOW + 5)


def size_record(contracts: str = "10", generation: int = 1, resync: int = 0, **more: object) -> Json:
    return sized_record(BTC, sized(contracts, generation, **more), resync)


def record(kind: str, at: float = NOW + 1, **fields: object) -> Json:
    return {"kind": kind, "at": at, "symbol": BTC, **fields}


VERIFIED_FLAT = record("VERIFIED", contracts="0", generation=0)
SENT = [VERIFIED_FLAT, size_record(), intent_record(intent())]


def memory_of(*records: Mapping[str, Any]) -> SymbolMemory:
    """The memory of one symbol after records that went through JSON, as the journal's do."""
    return fold(json.loads(json.dumps(records))).of(BTC)


# --- one record at a time ---------------------------------------------------------------------------------------------


def test_a_symbol_never_heard_of() -> None:
    memory = AccountMemory().of(BTC)
    assert (memory.baseline, memory.sized, memory.generation) == (None, None, 0)
    assert memory.stored == 0
    assert AccountMemory().next_intent == 1


def test_sized() -> None:
    memory = memory_of(size_record(fingerprint="1/0.001", entry_expires_at=NOW + 600, because="why"))
    assert memory.sized == sized(fingerprint="1/0.001", entry_expires_at=NOW + 600, because="why")
    assert memory.taken == {TV: taken(), SN8: replace(taken("-0.04"), leverage=None)}
    assert (memory.generation, memory.stored, memory.fingerprint) == (1, d(10), "1/0.001")


def test_a_new_generation_ends_drift_and_takes_up_the_resync() -> None:
    moved = record("DRIFT", contracts="14", because="a manual trade")
    memory = memory_of(size_record(), VERIFIED_FLAT, moved)
    assert (memory.drift, memory.baseline) == ("a manual trade", d(14))
    memory = memory_of(size_record(), VERIFIED_FLAT, moved, size_record(generation=2, resync=4))
    assert (memory.drift, memory.baseline, memory.sized_resync) == (None, d(14), 4)


def test_drift_without_a_target_is_only_a_new_baseline() -> None:
    memory = memory_of(VERIFIED_FLAT, record("DRIFT", contracts="14", because="a manual trade"))
    assert (memory.drift, memory.baseline) == (None, d(14))


def test_a_size_without_listing_keeps_the_fingerprint() -> None:
    memory = memory_of(size_record(fingerprint="1/0.001"), size_record(generation=2, fingerprint=""))
    assert memory.fingerprint == "1/0.001"


def test_prepared_is_an_open_intent_and_uses_up_its_number() -> None:
    memory = fold(SENT)
    assert memory.intents == (intent(),)
    assert memory.of(BTC).unresolved == 5
    assert memory.next_intent == 2
    assert memory.of(BTC).baseline == 0


STATES = [
    (record("ACKED", n=1, order_id="abc"), replace(intent(), state=IntentState.ACKED, order_id="abc")),
    (record("ACKED", n=1), replace(intent(), state=IntentState.ACKED)),
    (record("UNKNOWN", n=1), replace(intent(), state=IntentState.UNKNOWN)),
    (record("ACKED", n=2, order_id="another's"), intent()),
]


@pytest.mark.parametrize(("change", "expected"), STATES)
def test_an_intent_goes_through_its_states(change: Json, expected: Intent) -> None:
    assert memory_of(*SENT, change).intents == (expected,)


def test_an_unknown_order_keeps_the_venues_id() -> None:
    found = memory_of(*SENT, record("ACKED", n=1, order_id="abc"), record("UNKNOWN", n=1)).intents
    assert [i.order_id for i in found] == ["abc"]


@pytest.mark.parametrize("kind", ["ABANDONED", "REJECTED", "DEAD"])
def test_what_never_was_leaves_nothing_behind(kind: str) -> None:
    memory = memory_of(*SENT, record(kind, n=1))
    assert (memory.intents, memory.baseline, memory.last_fill_at, memory.accounted) == ((), d(0), None, ())
    assert fold([*SENT, record(kind, n=1)]).next_intent == 2


RESOLVED = [("5", "5", "5"), ("5", "2", "2"), ("5", "0", "0"), ("-5", "3", "-3")]


@pytest.mark.parametrize(("signed", "filled", "moved"), RESOLVED)
def test_fills_move_the_baseline(signed: str, filled: str, moved: str) -> None:
    records = [VERIFIED_FLAT, intent_record(intent(1, signed)), record("RESOLVED", NOW + 9, n=1, filled=filled, seq=7)]
    memory = memory_of(*records)
    assert (memory.baseline, memory.intents, memory.accounted) == (d(moved), (), (ClientId("id-1"),))
    assert memory.last_fill_at == (None if filled == "0" else NOW + 9)
    assert memory.last_seq == 7


def test_the_newest_sequence_counts() -> None:
    first = [intent_record(intent(1)), record("RESOLVED", n=1, filled="5", seq=9)]
    second = [intent_record(intent(2)), record("RESOLVED", n=2, filled="5", seq=7)]
    third = [intent_record(intent(3)), record("RESOLVED", n=3, filled="5", seq=None)]
    assert memory_of(VERIFIED_FLAT, *first, *second, *third).last_seq == 9


def test_numbers_never_go_back() -> None:
    assert fold([intent_record(intent(5)), intent_record(intent(2))]).next_intent == 6


def test_an_intent_keeps_what_was_asked() -> None:
    asked = replace(intent(1, "-5"), state=IntentState.UNKNOWN, order_id="abc")
    (found,) = memory_of(intent_record(asked, nonce=9, fields={"seq": "1"})).intents
    assert found == asked
    assert found.order.full_close
    assert found.order.digest() == asked.order.digest()


def test_only_the_newest_ids_are_kept() -> None:
    records: list[Json] = [VERIFIED_FLAT]
    for n in range(1, RECENT_IDS_KEPT + 3):
        records += [intent_record(intent(n)), record("RESOLVED", n=n, filled="1")]
    accounted = memory_of(*records).accounted
    assert (accounted[0], len(accounted)) == (ClientId("id-3"), RECENT_IDS_KEPT)


def test_verified_is_the_baseline_and_the_newest_generation_seen() -> None:
    memory = memory_of(
        record("VERIFIED", contracts="10", generation=3), record("VERIFIED", NOW + 8, contracts="4", generation=0)
    )
    assert (memory.baseline, memory.verified_generation, memory.verified_at) == (d(4), 3, NOW + 8)


def test_confirmed() -> None:
    assert memory_of(record("CONFIRMED", generation=3)).confirmed_generation == 3


def test_adopted_is_baseline_and_stored_size() -> None:
    memory = memory_of(sized_record(BTC, sized("3", 4), 2, kind="ADOPTED"))
    assert (memory.baseline, memory.stored, memory.generation, memory.verified_generation) == (d(3), d(3), 4, 4)
    assert memory.sized_resync == 2
    assert memory.taken[TV] == taken()


def test_restored_short_of_its_size_is_not_verified() -> None:
    restored = {**sized_record(BTC, sized("10", 4), 2, kind="ADOPTED"), "contracts": "3", "stored": "10"}
    memory = memory_of(restored)
    assert (memory.baseline, memory.stored, memory.generation, memory.verified_generation) == (d(3), d(10), 4, 0)


@pytest.mark.parametrize("explained", [record("VERIFIED", contracts="5", generation=1), record("DRIFT", contracts="9")])
def test_fills_await_their_verification(explained: Json) -> None:
    filled = [*SENT, record("RESOLVED", n=1, filled="5")]
    assert memory_of(*filled).unverified
    assert not memory_of(*filled, {"because": "moved", **explained}).unverified


def test_closed_by_the_user() -> None:
    before = [size_record(provisional=True, below_minimum=True, entry_expires_at=NOW), *SENT[2:]]
    memory = memory_of(VERIFIED_FLAT, *before, record("CLOSED_BY_USER", because="closed"))
    assert memory.sized is not None
    assert (memory.generation, memory.stored, memory.sized.depth) == (2, d(0), d(0))
    assert (memory.sized.provisional, memory.sized.below_minimum, memory.sized.entry_expires_at) == (False, False, None)
    assert memory.sized.inputs_hash == "hash-1"
    assert memory.taken == memory.sized.taken
    assert {t.contribution for t in memory.taken.values()} == {d(0)}
    assert {t.mode for t in memory.taken.values()} == {TakenMode.CLOSED}
    assert memory.taken[TV].depth == d("0.5")  # which signal it was, so that the same one does not reopen it
    assert memory.intents == (intent(),)  # an order under way stays to be resolved


def test_accepting_a_contract_sizes_anew() -> None:
    memory = memory_of(size_record(fingerprint="1/0.001"), record("ACCEPTED_INSTRUMENT", fingerprint="1/0.01"))
    assert memory.sized is not None
    assert (memory.fingerprint, memory.sized.provisional) == ("1/0.01", True)


def test_a_resync_is_counted_per_symbol() -> None:
    memory = fold([size_record(), {"kind": "COMMAND", "at": NOW, "verb": "resync", "symbol": BTC, "n": 7}])
    assert (memory.of(BTC).resync, memory.of(ETH).resync) == (1, 0)
    assert memory.commands == {"resync/BTCUSDT": 7}


def test_a_resync_of_everything() -> None:
    everything = {"kind": "COMMAND", "at": NOW, "verb": "resync", "symbol": "*", "n": 1}
    memory = fold([size_record(), {**VERIFIED_FLAT, "symbol": ETH}, everything, {**everything, "n": 2}])
    assert [memory.of(symbol).resync for symbol in (BTC, ETH)] == [2, 2]
    assert set(memory.symbols) == {BTC, ETH}


def test_other_commands_are_only_noted() -> None:
    memory = fold([size_record(), {"kind": "COMMAND", "at": NOW, "verb": "close", "symbol": BTC, "n": 1}])
    assert (memory.of(BTC).resync, memory.of(BTC).stored) == (0, d(10))


# --- records it must not guess about ----------------------------------------------------------------------------------

STRANGE: list[Json] = [
    {"at": NOW, "symbol": BTC},
    {"kind": "MOONED", "at": NOW, "symbol": BTC},
    {"kind": "VERIFIED", "at": NOW},
    record("VERIFIED", contracts="ten", generation=1),
    record("VERIFIED", contracts=None, generation=1),
    record("RESOLVED", n=99, filled="1"),
    {**size_record(), "taken": []},
    {**size_record(), "contracts": {}},
    {**intent_record(intent()), "order": "buy"},
    {**intent_record(intent()), "state": "LOST"},
    {"kind": "COUNTERS", "at": NOW, "next_intent": "many", "commands": {}},
]


@pytest.mark.parametrize("strange", STRANGE)
def test_a_record_it_does_not_understand_is_refused(strange: Json) -> None:
    with pytest.raises(Corrupt):
        fold([*SENT, strange])


def test_fills_before_a_first_read_are_refused() -> None:
    with pytest.raises(Corrupt):
        fold([intent_record(intent()), record("RESOLVED", n=1, filled="5")])


# --- histories --------------------------------------------------------------------------------------------------------

symbols = st.sampled_from([BTC, BTC, BTC, ETH, Symbol("X:Y-Z")])
numbers = st.integers(1, 3)
amounts = st.integers(-50, 50).map(lambda n: str(d(n) / 10))
positive = st.integers(0, 50).map(lambda n: str(d(n) / 10))
instants = st.floats(NOW, NOW + 1e6)
modes = st.sampled_from(TakenMode)


def a_size(contracts: str, generation: int, mode: TakenMode, provisional: bool, resync: int, kind: str) -> Json:
    shares = {TV: taken(contracts, mode)}
    made = sized(contracts, generation, taken=shares, provisional=provisional, price=None, entry_expires_at=NOW + 7)
    return sized_record(BTC, made, resync, kind)


def an_intent(number: int, signed: str, state: IntentState) -> Json:
    return intent_record(replace(intent(number, signed), state=state, order_id="v" * number), 7, {"seq": "1"})


def an_order(number: int, signed: str, end: str | None, filled: str, at: float) -> list[Json]:
    """What becomes of one order, from its intent to its end (None: still open)."""
    begun = [an_intent(number, signed, IntentState.PREPARED), record("ACKED", n=number, order_id="v")]
    if end is None:
        return begun
    return [*begun, record(end, at, n=number, filled=filled, seq=number)]


ends = st.sampled_from([None, "UNKNOWN", "RESOLVED", "RESOLVED", "DEAD", "REJECTED", "ABANDONED"])
sends = st.builds(an_order, numbers, amounts.filter(lambda a: d(a) != 0), ends, positive, instants)
changes = st.one_of(
    st.builds(a_size, amounts, numbers, modes, st.booleans(), st.integers(0, 3), st.sampled_from(["SIZED", "ADOPTED"])),
    st.builds(lambda n, k: record(k, n=n), numbers, st.sampled_from(["ACKED", "UNKNOWN", "DEAD", "REJECTED"])),
    st.builds(lambda c, g, at: record("VERIFIED", at, contracts=c, generation=g), amounts, numbers, instants),
    st.builds(lambda g: record("CONFIRMED", generation=g), numbers),
    st.builds(lambda c, at: record("DRIFT", at, contracts=c, because="moved"), amounts, instants),
    st.just(record("CLOSED_BY_USER", because="closed")),
    st.just(record("ACCEPTED_INSTRUMENT", fingerprint="9/9")),
    st.builds(lambda n: record("COMMAND", verb="resync", n=n), numbers),
)
happenings = st.tuples(symbols, sends | changes.map(lambda change: [change]))
histories = st.lists(happenings, max_size=20).map(
    lambda story: [VERIFIED_FLAT, *({**one, "symbol": symbol} for symbol, records in story for one in records)]
)


def lived(history: list[Json]) -> AccountMemory:
    """The memory after the records of a history that are possible where they stand."""
    memory = AccountMemory()
    for happening in history:
        try:
            memory = memory.apply(happening)
        except Corrupt:
            event("not possible")
    return memory


@PROPERTY
@given(histories)
def test_compaction_loses_nothing(history: list[Json]) -> None:
    memory = lived(history)
    compacted = json.loads(json.dumps(snapshot_records(memory, NOW)))
    assert fold(compacted) == memory


@PROPERTY
@given(histories, histories)
def test_life_goes_on_after_compaction(before: list[Json], after: list[Json]) -> None:
    memory = lived(before)
    again = fold(snapshot_records(memory, NOW))
    for happening in after:
        try:
            memory, again = memory.apply(happening), again.apply(happening)
        except Corrupt:
            continue
    assert again == memory


@PROPERTY
@given(histories)
def test_intent_numbers_never_recur(history: list[Json]) -> None:
    memory = AccountMemory()
    for happening in history:
        before = memory.next_intent
        memory = lived([*snapshot_records(memory, NOW), happening])
        assert memory.next_intent >= before
        assert all(i.number < memory.next_intent for i in memory.intents)
