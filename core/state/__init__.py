"""What programs keep on disk: atomic JSON, locks, signal documents and the projections of the journal.

Everything here takes its disk as an argument (`ports.FileOps`), so that a simulated one can lose what was never synced.
"""

from core.state.behind import WrittenBehind
from core.state.documents import parse_document, render_document
from core.state.facts import FactLog
from core.state.files import RealFileOps, ensure_dir, write_atomic
from core.state.instants import day_of, format_instant, parse_instant
from core.state.jsonfile import content_hash, dumps, loads, read_json, update_json, write_json
from core.state.locks import AccountLock, locks_in
from core.state.projections import Projections, troubles

__all__ = [
    "AccountLock",
    "FactLog",
    "Projections",
    "RealFileOps",
    "WrittenBehind",
    "content_hash",
    "day_of",
    "dumps",
    "ensure_dir",
    "format_instant",
    "loads",
    "locks_in",
    "parse_document",
    "parse_instant",
    "read_json",
    "render_document",
    "troubles",
    "update_json",
    "write_atomic",
    "write_json",
]
