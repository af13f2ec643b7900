"""One order from permit to acknowledgement: at most once, whatever happens in between.

permit -> PREPARED, durable -> gate (synchronous) -> signed and written at once -> ACKED | REJECTED | UNKNOWN.
Nothing here ever sends again; what is uncertain is looked up by `core.execution.resolving`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from core.domain import Cost, Permit, PlaceOrder, Symbol, plain
from core.errors import Ambiguous, Denied, InvariantBreach, OurFault, Rejected, Unavailable
from core.events import OrderAcked, OrderResolved, OrderSent, OrderUncertain
from core.execution.account import Account
from core.execution.pacing import Pace
from core.execution.preflight import REPEAT_S
from core.execution.tripping import breach, notional_of
from core.journal import new_client_id
from core.records import Intent, intent_record

Gate = Callable[[], str | None]
"""Asked in the last instant before signing: why the order must not go, or None."""


class Sent(StrEnum):
    ACKED = "acked"
    NOT_SENT = "not_sent"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Permission:
    """What an order may be: the fenced position it starts from, and the stored contracts it must not pass."""

    fenced: Decimal
    stored: Decimal
    generation: int


def assert_invariants(account: Account, order: PlaceOrder, permission: Permission) -> None:
    """I1, I2 and I4, in production too. Raises `InvariantBreach`."""
    after = permission.fenced + order.signed
    if order.reduce_only:
        if order.contracts > abs(permission.fenced) or order.signed * permission.fenced > 0:
            raise InvariantBreach(f"I4: a reduction of {plain(order.signed)} against {plain(permission.fenced)}")
        return
    if abs(after) > abs(permission.stored):
        raise InvariantBreach(f"I1: the order would make {plain(after)} of a stored {plain(permission.stored)}")
    if account.memory.of(order.symbol).intents:
        raise InvariantBreach(f"I2: an order on {order.symbol} is unresolved")


async def send(account: Account, order: PlaceOrder, permission: Permission, gate: Gate) -> Sent:
    """Sends one order at most once. Raises nothing: every outcome is journaled and told."""
    symbol = order.symbol
    try:
        assert_invariants(account, order, permission)
    except InvariantBreach as error:
        _breach(account, symbol, error)
        return Sent.NOT_SENT
    if account.clock.time() < account.calm_until:
        return Sent.NOT_SENT
    with account.in_flight:
        try:
            permit = await account.processor.permit(Cost(reduction=order.reduce_only))
        except Unavailable as error:
            account.trouble(symbol, f"no room in the venue's rate limit ({error}); the order waits")
            return Sent.NOT_SENT
        if gate() is not None:
            return Sent.NOT_SENT
        intent = _prepare(account, order, permission, permit.valid_until)
        account.record(**intent_record(intent, permit.nonce, permit.fields))
        durable = await account.durable()
        why = gate() if durable else "the intent could not be made durable"
        why = why or _last_check(account, intent)
        if why is not None:
            _abandon(account, intent, why)
            return Sent.NOT_SENT
        account.orders_sent += 1
        account.tell(OrderSent, symbol=symbol, client_id=intent.client_id, order=order)
        return await _place(account, intent, permit)


def _last_check(account: Account, intent: Intent) -> str | None:
    """I2 and I3 at the last instant: this intent is journaled, and an increase is the only one."""
    open_intents = account.memory.of(intent.order.symbol).intents
    breach = None
    if intent.number not in {i.number for i in open_intents}:
        breach = InvariantBreach("I3: no intent is journaled for this order")
    elif len(open_intents) > 1 and not intent.order.reduce_only:
        breach = InvariantBreach(f"I2: an order on {intent.order.symbol} is unresolved")
    if breach is None:
        return None
    _breach(account, intent.order.symbol, breach)
    return str(breach)


def _prepare(account: Account, order: PlaceOrder, permission: Permission, valid_until: float) -> Intent:
    capabilities = account.processor.capabilities
    number = account.memory.next_intent
    epoch = account.journal.epoch if account.journal else ""
    client_id = new_client_id(
        epoch, account.id, number, capabilities.client_id_prefix, capabilities.client_id_hex_digits
    )
    notional = None if order.reduce_only else notional_of(account, order)
    now, generation = account.clock.time(), permission.generation
    return Intent(number, client_id, order, generation, now, valid_until, notional=notional)


async def _place(account: Account, intent: Intent, permit: Permit) -> Sent:
    order, symbol = intent.order, intent.order.symbol
    try:
        ack = await account.processor.place(order, intent.client_id, permit)
    except Unavailable as error:
        _abandon(account, intent, f"it never left this machine: {error}")
        return Sent.NOT_SENT
    except Ambiguous as error:
        account.record("UNKNOWN", symbol=symbol, n=intent.number, because=str(error))
        account.tell(OrderUncertain, symbol=symbol, client_id=intent.client_id, because=str(error))
        return Sent.UNKNOWN
    except Denied as error:
        _rejected(account, intent, error)
        account.block(str(error), REPEAT_S)
        return Sent.REJECTED
    except (Rejected, OurFault) as error:
        _rejected(account, intent, error)
        return Sent.REJECTED
    account.record("ACKED", symbol=symbol, n=intent.number, order_id=ack.order_id)
    account.tell(OrderAcked, symbol=symbol, client_id=intent.client_id, order_id=ack.order_id)
    if ack.outcome is not None and ack.outcome.final and account.is_open(intent):
        account.record(
            "RESOLVED", symbol=symbol, n=intent.number, filled=plain(ack.outcome.filled), seq=ack.outcome.seq
        )
    return Sent.ACKED


def _abandon(account: Account, intent: Intent, because: str) -> None:
    account.record("ABANDONED", symbol=intent.order.symbol, n=intent.number, because=because)
    account.tell(
        OrderResolved,
        symbol=intent.order.symbol,
        client_id=intent.client_id,
        outcome="abandoned",
        filled=Decimal(0),
        because=because,
    )


def _rejected(account: Account, intent: Intent, error: Rejected | OurFault | Denied) -> None:
    order = intent.order
    account.record("REJECTED", symbol=order.symbol, n=intent.number, code=error.code, because=str(error))
    pace = Pace.REDUCTION_REJECTED if order.reduce_only else Pace.INCREASE_REJECTED
    count = account.pacing.failed(order.symbol, pace, error.code, intent.generation, account.clock.time(), str(error))
    account.tell(
        OrderResolved,
        symbol=order.symbol,
        client_id=intent.client_id,
        outcome="rejected",
        filled=Decimal(0),
        because=str(error),
    )
    if order.reduce_only and count == 3:
        account.trouble(order.symbol, f"a reduction was rejected 3 times ({error}); check the account on the venue")


def _breach(account: Account, symbol: Symbol, error: InvariantBreach) -> None:
    account.trouble(symbol, f"{error}. Nothing was sent")
    breach(account, str(error))
