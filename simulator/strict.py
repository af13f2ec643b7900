"""JSON objects as the simulator takes them: strict as every file of the project, and an object or nothing."""

from __future__ import annotations

from core.errors import ConfigError
from core.state import jsonfile

StrictError = ConfigError
"""What `loads` raises: `where` and `problem` say what is wrong."""


def loads(data: bytes, where: str = "body") -> dict[str, object]:
    """A JSON object; numbers with a fraction come as `Decimal`. Raises `StrictError`."""
    value = jsonfile.loads(data, where)
    if not isinstance(value, dict):
        raise StrictError(where, "is not a JSON object")
    return value
