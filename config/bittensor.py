"""`bittensor_processor_config.json`: how the traders of Bittensor SN8 are chosen, scored and weighed.

One flat object, as older versions wrote it; what it does not name has its default, what nothing reads is kept. The
formulas these numbers go into stand in docs/bittensor.md and `signal_processors.bittensor_ranking`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ValidationError

from config.checks import Checked, Raw
from config.models import KEPT
from config.problems import explained, listed, nearest
from config.values import kind, whole, within
from core.errors import ConfigError

FILE = "bittensor_processor_config.json"

Exponent = Annotated[Decimal, BeforeValidator(within("0", "100"))]
Count = Annotated[int, BeforeValidator(whole(0, 100_000))]
Share = Annotated[Decimal, BeforeValidator(within("0", "1"))]


class BittensorKeys(BaseModel):
    """Every parameter with its default. Returns, rates and drawdowns are shares: 0.6 is 60 %."""

    model_config = KEPT
    min_trades: Count = 10
    max_drawdown_threshold: Annotated[Decimal, BeforeValidator(within("-1", "0"))] = Decimal("-0.5")
    min_profitable_rate: Share = Decimal("0.6")
    min_total_return: Annotated[Decimal, BeforeValidator(within("-1", "1000"))] = Decimal("0.0")
    drawdown_exponent: Exponent = Decimal(6)
    sharpe_exponent: Exponent = Decimal(2)
    profitable_rate_exponent: Exponent = Decimal(5)
    position_count_divisor: Annotated[Decimal, BeforeValidator(within("0", "1000000", open_low=True))] = Decimal(5)
    incentive_exponent: Exponent = Decimal(0)
    min_trades_per_asset: Count = 0
    max_trade_age_days: Annotated[Decimal, BeforeValidator(within("0", "36500", open_low=True))] = Decimal(14)
    leverage_limit_crypto: Annotated[Decimal, BeforeValidator(within("0", "1000", open_low=True))] = Decimal("0.5")
    miner_loss_guard: Share = Decimal("0.5")
    raw_max_gb: Annotated[Decimal, BeforeValidator(within("0", "100000", open_low=True))] = Decimal(5)
    metagraph: bool = True


SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Which traders count": ("min_trades", "max_drawdown_threshold", "min_profitable_rate", "min_total_return"),
    "How they are scored": (
        "drawdown_exponent",
        "sharpe_exponent",
        "profitable_rate_exponent",
        "position_count_divisor",
        "incentive_exponent",
    ),
    "What counts for an asset": ("min_trades_per_asset", "max_trade_age_days"),
    "Limits": ("leverage_limit_crypto", "miner_loss_guard", "raw_max_gb", "metagraph"),
}
"""The parameters in the order they are asked and shown in."""

MEANING: Mapping[str, str] = {
    "min_trades": "fewest positions a trader must have on mapped assets",
    "max_drawdown_threshold": "deepest fall from a high that is accepted, -1 to 0",
    "min_profitable_rate": "smallest share of positions with a profit, 0 to 1",
    "min_total_return": "what all positions together must have won more than, 0.05 is 5 %",
    "drawdown_exponent": "how much a shallow drawdown counts",
    "sharpe_exponent": "how much the Sharpe ratio counts",
    "profitable_rate_exponent": "how much the share of profitable positions counts",
    "position_count_divisor": "the larger, the less the number of positions counts",
    "incentive_exponent": "how much the network's incentive counts (needs the metagraph); 0: not at all",
    "min_trades_per_asset": "fewest positions on an asset before a trader counts for it",
    "max_trade_age_days": "days after the last trade when a trader stops counting",
    "leverage_limit_crypto": "net leverage that counts as depth 1",
    "miner_loss_guard": "largest share of traders that may vanish at once, 0 to 1",
    "raw_max_gb": "disk space for raw_signals/bittensor, in GB",
    "metagraph": "ask the chain who is registered: true or false",
}


def check_bittensor(raw: Raw) -> Checked[BittensorKeys]:
    """The file's parameters, or everything that is wrong with it; unknown keys are warned of."""
    if not isinstance(raw.data, dict):
        return Checked(None, (raw.problem((), f"must be an object of parameters, not {kind(raw.data)}"),))
    try:
        keys = BittensorKeys.model_validate(raw.data)
    except ValidationError as error:
        return Checked(None, tuple(explained(error, raw.file, (), raw.locate)))
    return Checked(keys, (), tuple(_unknown(raw, key) for key in keys.model_extra or {}))


def _unknown(raw: Raw, key: str) -> ConfigError:
    known = BittensorKeys.model_fields
    near = nearest(key, known)
    hint = f"did you mean {near}?" if near else f"known here: {listed(known)}"
    return raw.problem((key,), f"is not a parameter and has no effect; {hint}")
