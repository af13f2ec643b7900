"""HTTP to this machine's own processes: no proxy, no redirects, one deadline, small answers."""

from __future__ import annotations

import http.client
import json
from typing import Any
from urllib.parse import urlsplit

DEADLINE_S = 5.0
MAX_ANSWER_BYTES = 16 * 1024 * 1024


class Unreachable(Exception):
    """Nothing usable answered; the text says why."""


def ask(method: str, url: str, body: Any = None, deadline_s: float = DEADLINE_S) -> tuple[int, Any]:
    """Status and parsed answer; the answer is None where it is not JSON.

    Raises:
        Unreachable: no connection, no answer in time, or a broken one.
    """
    parts = urlsplit(url)
    data = None if body is None else json.dumps(body).encode()
    connection = http.client.HTTPConnection(parts.hostname or "127.0.0.1", parts.port or 80, timeout=deadline_s)
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
        response = connection.getresponse()
        answer = response.read(MAX_ANSWER_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise Unreachable(f"{parts.hostname}:{parts.port}: {error or type(error).__name__}") from error
    finally:
        connection.close()
    try:
        return response.status, json.loads(answer)
    except ValueError:
        return response.status, None
