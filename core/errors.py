"""The error tree. Branch on the type (and on `code`), never on message text.

EngineError
├── VenueError                what an adapter raises
│   ├── Rejected              it did not happen, proven by the venue's answer
│   ├── Unavailable           a read failed, or a send never left this machine
│   ├── Ambiguous             it was sent and nobody knows: look it up, never send it again
│   ├── Denied                credentials, permission, wrong account: stop that account
│   └── OurFault              we built an illegal request: a bug
├── TransportError            what a transport raises, before an adapter gives it a meaning
│   ├── NotSent               no byte reached the venue
│   └── Lost                  bytes may have reached the venue; no usable answer came
├── ConfigError               a live file is invalid: file, field, what to do
├── StateError                our own files
│   ├── Corrupt               a record before the end cannot be read
│   ├── Conflict              the file changed since it was read
│   └── Locked                somebody else holds the lock; names the holder
└── InvariantBreach           I1 to I5: nothing was sent; the account stops increasing
"""

from __future__ import annotations


class EngineError(Exception):
    """Base of everything this program raises on purpose."""


class VenueError(EngineError):
    """`code` is the venue's own code as text, '' where it gave none."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class Rejected(VenueError):
    """The venue refused and proved that nothing happened. Plan again; back off on repeats."""


class Unavailable(VenueError):
    """A read failed, or nothing was sent. Try again after `retry_after_s` (None: the caller's own back-off)."""

    def __init__(self, message: str, code: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(message, code)
        self.retry_after_s = retry_after_s


class Ambiguous(VenueError):
    """Sent, outcome unknown. Resolve by looking `client_id` up; a resend could double the order."""

    def __init__(self, message: str, client_id: str, code: str = "") -> None:
        super().__init__(message, code)
        self.client_id = client_id


class Denied(VenueError):
    """The account may not do this: key, permission, address. The account stops until preflight passes."""


class OurFault(VenueError):
    """The venue calls the request malformed. A bug of ours; nothing happened."""


class TransportError(EngineError):
    """A request did not yield a usable response."""


class NotSent(TransportError):
    """Connecting failed; no byte of the request left."""


class Lost(TransportError):
    """The request may have arrived: time-out, reset or broken answer after sending began."""


class ConfigError(EngineError):
    """A configuration file is not valid. `where` is `file: field` (and line where known)."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


class StateError(EngineError):
    """One of our own files cannot be used."""


class Corrupt(StateError):
    """A record before the end of a journal is damaged: the account is stopped until a person looks."""


class JournalLost(StateError):
    """The journal is no longer the file we wrote (gone, replaced, changed by somebody else); nothing was written.

    Stop sending for the account, open the journal again and recover as from a lost one.
    """


class JournalBroken(StateError):
    """An earlier write or fsync failed in a way that leaves the file's end or its durability in doubt.

    Nothing is appended until the journal is opened again, which makes durable what it then holds.
    """


class Conflict(StateError):
    """The file's content is not what the writer read; nothing was written."""


class Locked(StateError):
    """Another process holds the lock; the message names it."""


class InvariantBreach(EngineError):
    """A send would have broken one of the invariants I1 to I5. It was not sent."""
