"""The transport against real loopback servers that misbehave: sent once, classified right, bounded, unchanged."""

from __future__ import annotations

import asyncio
import gzip
import re
import subprocess
import sys
import zlib
from collections.abc import Callable

import pytest

from core.errors import Lost, NotSent
from core.ports import Request
from tests.contract.transport_server import (
    Behaviour,
    Reader,
    Server,
    Writer,
    answer,
    good,
    hang,
    one_request,
    serving,
    transport,
)


async def close_at_once(server: Server, reader: Reader, writer: Writer) -> None:
    """Accepts and hangs up without reading."""


async def close_after_reading(server: Server, reader: Reader, writer: Writer) -> None:
    await one_request(server, reader)


async def reset_after_reading(server: Server, reader: Reader, writer: Writer) -> None:
    await one_request(server, reader)
    writer.transport.abort()


async def half_answer(server: Server, reader: Reader, writer: Writer) -> None:
    await one_request(server, reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789")
    await writer.drain()


async def garbage(server: Server, reader: Reader, writer: Writer) -> None:
    await one_request(server, reader)
    writer.write(b"\x00\x01not http at all\r\n\r\n")
    await writer.drain()


async def drip(server: Server, reader: Reader, writer: Writer) -> None:
    """A byte now and then: never silent, never done."""
    await one_request(server, reader)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while True:
        writer.write(b"x")
        await writer.drain()
        await asyncio.sleep(0.02)


async def huge(server: Server, reader: Reader, writer: Writer) -> None:
    await one_request(server, reader)
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        await writer.drain()


async def bomb(server: Server, reader: Reader, writer: Writer) -> None:
    await one_request(server, reader)
    packed = gzip.compress(b"0" * 50_000_000)
    writer.write(answer(packed, "Content-Encoding: gzip"))
    await writer.drain()


async def broken_gzip(server: Server, reader: Reader, writer: Writer) -> None:
    await one_request(server, reader)
    writer.write(answer(b"this is not gzip", "Content-Encoding: gzip"))
    await writer.drain()


MISBEHAVIOUR = [
    close_at_once, close_after_reading, reset_after_reading, half_answer, garbage, hang, drip, huge, bomb, broken_gzip,
]  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("behave", MISBEHAVIOUR, ids=lambda behave: behave.__name__)
async def test_a_broken_answer_is_lost_and_never_asked_for_again(behave: Behaviour, method: str) -> None:
    async with serving(behave) as server, transport(max_body_bytes=1_000_000) as sut:
        body = b'{"a":1}' if method == "POST" else b""
        with pytest.raises(Lost):
            await sut.send(Request(method, server.url, body=body, deadline_s=0.3))
        assert server.connections == 1
        assert len(server.requests) <= 1


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD"])
async def test_a_connection_that_breaks_on_its_second_request_is_not_replaced(method: str) -> None:
    async def once_then_hang_up(server: Server, reader: Reader, writer: Writer) -> None:
        await one_request(server, reader)
        writer.write(answer() if method != "HEAD" else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await one_request(server, reader)

    async with serving(once_then_hang_up) as server, transport() as sut:
        await sut.send(Request(method, f"{server.url}/first"))
        with pytest.raises(Lost):
            await sut.send(Request(method, f"{server.url}/second", deadline_s=2))
        assert server.connections == 1
        assert [request.split(b" ")[1] for request in server.requests] == [b"/first", b"/second"]


async def test_refused_connection_is_not_sent() -> None:
    async with serving(good()) as server:
        url = server.url
    async with transport() as sut:
        with pytest.raises(NotSent):
            await sut.send(Request("POST", url, body=b"{}"))


async def test_unknown_host_is_not_sent() -> None:
    async with transport() as sut:
        with pytest.raises(NotSent):
            await sut.send(Request("POST", "http://no-such-host.invalid/", body=b"{}"))


async def test_failed_tls_handshake_is_not_sent() -> None:
    async def no_tls(server: Server, reader: Reader, writer: Writer) -> None:
        server.requests.append(await reader.read(2000))

    async with serving(no_tls) as server, transport() as sut:
        with pytest.raises(NotSent):
            await sut.send(Request("POST", server.url.replace("http", "https"), body=b'{"order":1}', deadline_s=2))
        assert server.requests
        assert b"order" not in server.requests[0]


async def test_hanging_tls_handshake_is_not_sent() -> None:
    async def silent(server: Server, reader: Reader, writer: Writer) -> None:
        await reader.read()

    async with serving(silent) as server, transport() as sut:
        with pytest.raises(NotSent):
            await sut.send(Request("POST", server.url.replace("http", "https"), body=b"{}", deadline_s=0.2))


async def test_waiting_for_a_connection_until_the_deadline_is_not_sent() -> None:
    async with serving(hang) as server, transport(connections=1) as sut:
        first = asyncio.create_task(sut.send(Request("GET", f"{server.url}/first", deadline_s=1.0)))
        await server.asked.wait()
        with pytest.raises(NotSent):
            await sut.send(Request("POST", f"{server.url}/second", body=b"{}", deadline_s=0.1))
        with pytest.raises(Lost):
            await first
        assert len(server.requests) == 1


async def test_after_a_lost_request_the_next_one_works() -> None:
    async def first_hangs(server: Server, reader: Reader, writer: Writer) -> None:
        await one_request(server, reader)
        if len(server.requests) > 1:
            writer.write(answer(b'{"ok":true}'))
            await writer.drain()
        await reader.read()

    async with serving(first_hangs) as server, transport(connections=1) as sut:
        with pytest.raises(Lost):
            await sut.send(Request("GET", server.url, deadline_s=0.1))
        assert (await sut.send(Request("GET", server.url))).body == b'{"ok":true}'


async def test_connections_are_kept_and_reused() -> None:
    async with serving(good()) as server, transport() as sut:
        for _ in range(3):
            await sut.send(Request("GET", server.url))
        assert (server.connections, len(server.requests)) == (1, 3)


QUERIES = [
    "a=1&b=2",
    "cursor=132766%3A2%2C132766%3A2",
    "cursor=page_args%3Dfd43%26symbol%3D6%26&limit=50",
    "lower=%3a&space=%20&plus=a+b&tilde=%7e&raw=a:b,c|d~e*f",
    "empty=&percent=%25",
]


@pytest.mark.parametrize("query", QUERIES)
async def test_the_url_goes_out_as_it_was_signed(query: str) -> None:
    async with serving(good()) as server, transport() as sut:
        await sut.send(Request("GET", f"{server.url}/v5/list?{query}"))
        assert server.requests[0].split(b"\r\n")[0] == f"GET /v5/list?{query} HTTP/1.1".encode()


async def test_body_and_headers_go_out_untouched_and_nothing_is_added_to_a_read() -> None:
    async with serving(good()) as server, transport() as sut:
        headers = {"Content-Type": "application/json", "X-Sign": "abc"}
        await sut.send(Request("POST", server.url, headers, b'{"q": "1"}'))
        await sut.send(Request("GET", server.url))
    posted, got = server.requests
    assert posted.endswith(b'\r\n\r\n{"q": "1"}')
    assert b"X-Sign: abc\r\n" in posted
    assert posted.lower().count(b"content-type:") == 1
    for absent in (b"content-type", b"content-length", b"transfer-encoding", b"cookie", b"authorization"):
        assert absent not in got.lower()


async def test_response_is_complete_with_lower_case_headers() -> None:
    extra = ["X-Bapi-Limit-Status: 9", "Set-Cookie: a=1", "X-Twice: 1", "x-twice: 2"]
    async with serving(good(b'{"a": 1}', *extra, status="429 Too Many")) as server, transport() as sut:
        response = await sut.send(Request("GET", server.url))
    assert (response.status, response.body) == (429, b'{"a": 1}')
    assert response.headers["x-bapi-limit-status"] == "9"
    assert response.headers["x-twice"] == "1, 2"
    assert response.received_at > 1_600_000_000
    assert 0 < response.elapsed_s < 5


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"])
async def test_redirects_are_answers(status: str) -> None:
    async with serving(good(b"", "Location: /elsewhere", status=status)) as server, transport() as sut:
        response = await sut.send(Request("POST", server.url, body=b"{}"))
        assert response.status == int(status[:3])
        assert len(server.requests) == 1


async def test_cookies_are_not_kept() -> None:
    async with serving(good(b"{}", "Set-Cookie: session=1; Path=/")) as server, transport() as sut:
        await sut.send(Request("GET", server.url))
        await sut.send(Request("GET", server.url))
        assert b"cookie" not in server.requests[1].lower()


async def test_nothing_but_what_http_needs_is_added_to_a_request() -> None:
    """Whoever looks for marks in requests looks at what the transport is given."""
    async with serving(good()) as server, transport() as sut:
        await sut.send(Request("POST", server.url, {"X-Key": "k", "Content-Type": "application/json"}, b"{}"))
    head = server.requests[0].partition(b"\r\n\r\n")[0].decode().splitlines()[1:]
    sent = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head)}
    assert len(sent) == len(head)
    ours = {"x-key": "k", "content-type": "application/json"}
    assert sent.items() >= ours.items()
    assert sent.keys() - ours == {"host", "accept", "accept-encoding", "content-length", "user-agent"}
    assert re.fullmatch(r"Python/[0-9.]+ aiohttp/[0-9.]+", sent["user-agent"])


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
async def test_proxies_of_the_environment_are_ignored(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://127.0.0.1:9")
    async with serving(good()) as server, transport() as sut:
        assert (await sut.send(Request("GET", server.url))).status == 200


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
async def test_compression_is_undone(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    async with serving(good(pack(b'{"a":1}' * 1000), f"Content-Encoding: {encoding}")) as server, transport() as sut:
        assert (await sut.send(Request("GET", server.url))).body == b'{"a":1}' * 1000


async def test_a_closed_transport_sends_nothing() -> None:
    async with serving(good()) as server, transport() as sut:
        await sut.close()
        with pytest.raises(NotSent):
            await sut.send(Request("GET", server.url))
        assert server.connections == 0


async def test_messages_name_the_place_but_no_query_and_no_header() -> None:
    async with serving(close_after_reading) as server, transport() as sut:
        with pytest.raises(Lost) as caught:
            await sut.send(Request("GET", f"{server.url}/v5/x?signature=canary", {"X-Key": "canary"}))
    assert "/v5/x" in str(caught.value)
    assert "canary" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


# --- what is loaded ---------------------------------------------------------------------------------------------------


def test_importing_the_transport_loads_no_sdk() -> None:
    program = (
        "import sys, account_processors, account_processors.transport\n"
        "sdks = {'pybit', 'ccxt', 'kucoin_futures', 'requests', 'websocket', 'bittensor', 'pydantic', 'flask'}\n"
        "print(sorted(sdks & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
