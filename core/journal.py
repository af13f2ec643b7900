"""The write-ahead journal of one account, `state/journal/<account>.jsonl`: the only memory decisions use.

Each line is `{"crc":"<8 hex>","len":<n>,"record":{…}}`: length and CRC-32 of the exact bytes of the record's JSON. The
first record is the HEADER with the journal's random epoch. What a record means is its writer's business; decimals are
written as plain text, fractions in a record are instants and durations.

What a crash can leave is a beginning of the last line, possibly padded with zero bytes: it was never durable, so
nothing was done on its word, and it is cut off (a record that lacks only its line end is kept). Any other damage is not
a crash's doing and stops the account.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import zlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from core.domain import AccountId, ClientId
from core.errors import ConfigError, Corrupt, JournalBroken, JournalLost
from core.ports import Entropy, FileIdentity, FileOps
from core.state.files import ensure_dir, sweep_leftovers, temporary_beside, write_atomic
from core.state.jsonfile import encode, loads

T = TypeVar("T")

SCHEMA = 1
HEADER = "HEADER"
MAX_RECORD_BYTES = 1 << 20

Record = Mapping[str, object]

_HEAD = re.compile(rb'\{"crc":"([0-9a-f]{8})","len":([1-9][0-9]{0,6}),"record":')
_LONGEST_HEAD = len(b'{"crc":"00000000","len":1000000,"record":')
_REMEDY = (
    "Nothing was sent for this account and the file was left as it is. Restore it from a backup, or move it away: then "
    "a new journal begins, and the account waits and compares itself with the venue before it trades."
)


class Offload(Protocol):
    """Runs a blocking call without holding up the loop: `asyncio.to_thread` in life, `inline` in simulations."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...


async def inline(work: Callable[[], T], /) -> T:
    """The `Offload` without threads."""
    return work()


def new_client_id(epoch: str, account: AccountId, number: int, prefix: str, hex_digits: int) -> ClientId:
    """The id of intent `number`: 128 bits of BLAKE2b(epoch, account, number), cut to `hex_digits` after `prefix`.

    Epochs never recur and numbers never recur within one, so neither does the id. Where the venue takes no id
    (`hex_digits` 0) it is ours alone: all 32 digits, no prefix.
    """
    name = f"{epoch}\0{account}\0{number}".encode()
    digits = hashlib.blake2b(name, digest_size=16).hexdigest()
    return ClientId(prefix + digits[:hex_digits] if hex_digits else digits)


# --- lines ------------------------------------------------------------------------------------------------------------


def encode_line(record: Record) -> bytes:
    """The record's line. Raises ValueError for a record that could not be read back (NaN, too deep, too long)."""
    body = encode(record)
    if len(body) > MAX_RECORD_BYTES:
        raise ValueError(f"a journal record has at most {MAX_RECORD_BYTES} bytes, not {len(body)}")
    try:
        loads(body, real=float)
    except ConfigError as error:
        raise ValueError(f"a journal record that could not be read back: {error}") from None
    return b'{"crc":"%08x","len":%d,"record":%b}\n' % (zlib.crc32(body), len(body), body)


@dataclass(frozen=True, slots=True)
class Content:
    """What a journal's bytes hold: its records, header first; their lines; how many bytes of a torn record follow."""

    records: tuple[Record, ...]
    lines: bytes
    torn: int


def decode(data: bytes, where: str = "journal") -> Content:
    """Reads a journal's bytes. Raises Corrupt naming `where` and the line of a damaged record."""
    records: list[Record] = []
    start = 0
    while (end := data.find(b"\n", start) + 1) > 0:
        records.append(_decode_line(data[start:end], f"{where} line {len(records) + 1}"))
        start = end
    tail = data[start:].rstrip(b"\0")
    head = _HEAD.match(tail)
    whole = head.end() + int(head[2]) + 1 if head else _LONGEST_HEAD
    if head and len(tail) == whole:
        records.append(_decode_line(tail + b"\n", f"{where} line {len(records) + 1}"))
        return Content(tuple(records), data[:start] + tail + b"\n", torn=0)
    if head and len(tail) > whole:
        raise Corrupt(f"{where} line {len(records) + 1}: what stands at the end is no record. {_REMEDY}")
    return Content(tuple(records), data[:start], torn=len(data) - start)


def _decode_line(line: bytes, where: str) -> Record:
    head = _HEAD.match(line)
    if head is None:
        raise Corrupt(f"{where}: this is not a journal record. {_REMEDY}")
    body, length = line[head.end() : -2], int(head[2])
    if line[-2:] != b"}\n" or len(body) != length or zlib.crc32(body) != int(head[1], 16):
        raise Corrupt(f"{where}: the record is damaged (its length or checksum does not match). {_REMEDY}")
    try:
        record = loads(body, real=float)
    except ConfigError as error:
        raise Corrupt(f"{where}: the record cannot be read ({error.problem}). {_REMEDY}") from None
    if not isinstance(record, dict):
        raise Corrupt(f"{where}: the record is not an object. {_REMEDY}")
    return record


# --- the file ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Header:
    """`next`: the numbers to go on counting from, by name, as the last compaction gave them (empty at first)."""

    account: AccountId
    epoch: str
    next: Mapping[str, int]

    def record(self) -> Record:
        return {
            "kind": HEADER,
            "schema": SCHEMA,
            "account": self.account,
            "epoch": self.epoch,
            "next": dict(self.next),
        }


def read_header(record: Record, account: AccountId, where: str) -> Header:
    """The header in a journal's first record. Raises Corrupt when it is none, another account's, or a newer one."""
    where = f"{where} line 1"
    schema, epoch, counters = record.get("schema"), record.get("epoch"), record.get("next")
    if record.get("kind") != HEADER or not isinstance(schema, int):
        raise Corrupt(f"{where}: the journal does not begin with its header. {_REMEDY}")
    if schema > SCHEMA:
        raise Corrupt(f"{where}: written by a newer version (schema {schema}). Nothing was sent. Update this program.")
    if record.get("account") != account:
        raise Corrupt(f"{where}: this is the journal of {record.get('account')}, not of {account}. {_REMEDY}")
    if not (isinstance(epoch, str) and re.fullmatch(r"[0-9a-f]{32}", epoch) and isinstance(counters, dict)):
        raise Corrupt(f"{where}: the header lacks epoch or counters. {_REMEDY}")
    return Header(account, epoch, counters)


class Journal:
    """An open journal. One writer: the holder of the account's lock. Made by `open`.

    `records`: everything after the header, as read at `open`. `created`: there was no journal (or not even a whole
    header), so this one has a new epoch. `torn`: bytes of an unfinished record that were cut off.
    """

    def __init__(self, path: Path, ops: FileOps, offload: Offload, header: Header, identity: FileIdentity) -> None:
        self.records: tuple[Record, ...] = ()
        self.created = True
        self.torn = 0
        self._path = path
        self._ops = ops
        self._offload = offload
        self._header = header
        self._identity = identity
        self._size = identity.size
        self._appended = 0  # records since open, and how many of them are durable
        self._durable = 0
        self._renamed = False  # the folder still has to be synced
        self._broken: str | None = None
        self._commit: asyncio.Future[None] | None = None
        self._disk = asyncio.Lock()  # an fsync or the rename of a compaction is going on
        self._since: list[bytes] | None = None  # lines appended since a compaction began

    @staticmethod
    def open(path: Path, account: AccountId, ops: FileOps, entropy: Entropy, offload: Offload) -> Journal:
        """Opens the journal, or begins one. After return everything in `records` is durable.

        An existing file is written anew even when nothing is torn: a process that died, or an fsync that failed, may
        have left records in memory that the disk never got, and decisions are about to stand on them.
        Raises Corrupt (nothing changed) or OSError.
        """
        ensure_dir(ops, path.parent)
        sweep_leftovers(ops, path.parent, now=0.0, of=path.name)
        data = b"" if ops.identity(path) is None else ops.read(path)
        content = decode(data, str(path))
        if content.records:
            header = read_header(content.records[0], account, str(path))
            write_atomic(ops, path, content.lines)
        else:
            header = Header(account, entropy.bytes(16).hex(), {})
            write_atomic(ops, path, encode_line(header.record()))
        journal = Journal(path, ops, offload, header, _present(ops, path))
        journal.created = not content.records
        journal.records = content.records[1:]
        journal.torn = content.torn
        return journal

    @property
    def epoch(self) -> str:
        return self._header.epoch

    @property
    def next(self) -> Mapping[str, int]:
        """The counters in the header; records since may have counted further."""
        return self._header.next

    @property
    def size(self) -> int:
        """Bytes in the file, so that the caller knows when to compact."""
        return self._size

    @property
    def broken(self) -> str | None:
        """Why nothing can be appended until the journal is opened again; None: it can."""
        return self._broken

    def check(self) -> None:
        """Raises JournalLost unless the file is the one we wrote and nobody else changed it; JournalBroken, OSError."""
        if self._broken is not None:
            raise JournalBroken(f"{self._path}: {self._broken} Nothing is sent for the account until it is reopened.")
        found = self._ops.identity(self._path)
        if found is None or not _same(found, self._identity) or found.size != self._size:
            what = "is gone" if found is None else "was replaced or changed by somebody else"
            raise JournalLost(
                f"{self._path} {what} while the engine runs. The account stops sending, begins a new journal and "
                "compares itself with the venue before it trades again. Leave this file to the engine."
            )

    def append(self, record: Record) -> None:
        """Writes the record at once; it is durable only after `sync`.

        Raises OSError when the disk refuses: the file then ends as before, or the journal is broken. Raises
        JournalLost, JournalBroken, or ValueError for a record that is not JSON.
        """
        line = encode_line(record)
        self.check()
        try:
            self._ops.append(self._path, line)
        except OSError:
            self._restore_end()
            raise
        self._size += len(line)
        self._appended += 1
        if self._since is not None:
            self._since.append(line)

    def _restore_end(self) -> None:
        """After a failed append: cuts off what of it may have been written, or sees to it that nothing follows it."""
        restored = False
        with contextlib.suppress(OSError):
            self._ops.truncate(self._path, self._size)
            found = self._ops.identity(self._path)
            restored = found is not None and _same(found, self._identity) and found.size == self._size
        if not restored:
            self._broken = "a record could be written only in part, and the part could not be removed."

    async def sync(self) -> None:
        """Returns once everything appended before this call is durable. Callers at one time share an fsync.

        Raises OSError when the fsync fails; the journal is then broken, for nobody can say what the disk kept.
        """
        wanted = self._appended
        while self._durable < wanted or self._renamed:
            self.check()
            if self._commit is None:
                self._commit = asyncio.ensure_future(self._commit_appended())
                self._commit.add_done_callback(_retrieved)
            # Shielded: a caller that is cancelled takes the fsync from nobody else.
            await asyncio.shield(self._commit)

    async def append_durable(self, record: Record) -> None:
        """`append`, then `sync`."""
        self.append(record)
        await self.sync()

    async def _commit_appended(self) -> None:
        try:
            async with self._disk:
                upto, renamed, identity = self._appended, self._renamed, self._identity
                await self._offload(lambda: self._fsync(identity, renamed))
                self._durable = upto
                self._renamed = self._renamed and not renamed
        except OSError as error:
            self._broken = f"its fsync failed ({error.strerror or error})."
            raise
        finally:
            self._commit = None

    def _fsync(self, identity: FileIdentity, renamed: bool) -> None:
        """Syncs the file, which must be ours before and after: else another one may have been synced in its stead."""
        self._expect(identity)
        with contextlib.suppress(FileNotFoundError):  # the next line says it better
            self._ops.fsync(self._path)
        self._expect(identity)
        if renamed:
            self._ops.fsync_dir(self._path.parent)

    def _expect(self, identity: FileIdentity) -> None:
        found = self._ops.identity(self._path)
        if found is None or not _same(found, identity):
            raise JournalLost(f"{self._path} was taken away while it was written. The account stops sending.")

    async def compact(self, records: Iterable[Record], next_numbers: Mapping[str, int]) -> None:
        """Replaces the file by the header, with `next_numbers`, and `records`; what is appended meanwhile follows them.

        `records` must say all that the file says at the moment of the call. Durable on return; OSError leaves the old
        file in force, or the journal broken.
        """
        assert self._since is None, "one compaction at a time"
        self.check()
        header = Header(self._header.account, self.epoch, dict(next_numbers))
        data = encode_line(header.record()) + b"".join(encode_line(record) for record in records)
        temporary = temporary_beside(self._path)
        self._since = []
        try:
            await self._offload(lambda: _write_synced(self._ops, temporary, data))
            async with self._disk:
                self._swap(temporary, self._since)
                self._header = header
        finally:
            self._since = None
            with contextlib.suppress(OSError):  # it is only still there if something failed
                self._ops.remove(temporary)
        await self.sync()

    def _swap(self, temporary: Path, since: list[bytes]) -> None:
        self.check()
        if since:
            self._ops.append(temporary, b"".join(since))
            self._ops.fsync(temporary)
        identity = _present(self._ops, temporary)
        self._ops.replace(temporary, self._path)
        self._identity, self._size, self._renamed = identity, identity.size, True


def _write_synced(ops: FileOps, path: Path, data: bytes) -> None:
    ops.write(path, data)
    ops.fsync(path)


def _present(ops: FileOps, path: Path) -> FileIdentity:
    found = ops.identity(path)
    if found is None:
        raise FileNotFoundError(f"{path} vanished as soon as it was written")
    return found


def _same(one: FileIdentity, other: FileIdentity) -> bool:
    return (one.device, one.inode) == (other.device, other.inode)


def _retrieved(commit: asyncio.Future[None]) -> None:
    """Looks at the outcome, so that a failure nobody waits for any more is not reported as forgotten."""
    if not commit.cancelled():
        commit.exception()
