"""One poll of the SN8 feed, from the reply to the document: the processor without its process."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from config.home import Home
from core.domain import plain
from core.ports import Clock, FileOps
from core.state import day_of, ensure_dir
from core.state.files import sweep_leftovers
from signal_processors.bittensor_client import Feed, FeedTrouble
from signal_processors.bittensor_document import SOURCE, DocumentFile, Memory, load_memory, save_memory
from signal_processors.bittensor_feed import Known, ReplyReader
from signal_processors.bittensor_guard import Guard
from signal_processors.bittensor_opinion import Opinion, opinions, signals_after
from signal_processors.bittensor_ranking import Ranking, rank
from signal_processors.bittensor_raw import ARCHIVE_S, News, RawFolder, Recording
from signal_processors.bittensor_registry import Registry
from signal_processors.bittensor_settings import InForce, LiveSettings
from signal_processors.bittensor_traders import BadReply, Trader, View

PROCESS = "bittensor-signals"
FUTURE_S = 10.0
"""An order later than that after the request was sent has a clock that nobody can rank by."""
KEPT = "The document stays as it is, without a heartbeat; it goes on by itself."
REMEDY = "If it lasts, see that the endpoint in credentials.json is right, and ask whoever runs it."

log = logging.getLogger(PROCESS)


@dataclass(frozen=True, slots=True)
class Places:
    """Where the processor reads and writes."""

    raw: Path
    document: Path
    heartbeat: Path
    memory: Path
    metagraph: Path

    @staticmethod
    def of(home: Home) -> Places:
        return Places(
            raw=home.raw_signals(SOURCE),
            document=home.document(SOURCE),
            heartbeat=home.heartbeat(SOURCE),
            memory=home.state / "cache" / f"{SOURCE}.json",
            metagraph=home.state / "cache" / f"{SOURCE}_metagraph.json",
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """What became of an accepted reply. `traders` counts all of it; `as_of` epoch seconds."""

    as_of: float
    traders: int
    ranking: Ranking
    opinions: Mapping[str, Opinion]
    metagraph: str
    unregistered: tuple[str, ...] = ()


class Processor:
    """Brings the document to what the feed amounts to, poll by poll. `feed` is set before the first.

    `once`: for one look, which leaves no raw records. `as_of` (epoch seconds): how it stood then, with no heartbeat, no
    memory and no comparison with earlier replies.
    """

    feed: Feed

    def __init__(
        self,
        places: Places,
        ops: FileOps,
        clock: Clock,
        settings: LiveSettings,
        registry: Registry,
        *,
        once: bool = False,
        as_of: float | None = None,
    ) -> None:
        self._places = places
        self._ops = ops
        self._clock = clock
        self._settings = settings
        self._registry = registry
        self._as_of = as_of
        self._keeps_raw = not once
        self._document = DocumentFile(places.document, places.heartbeat, ops)
        self._raw = RawFolder(places.raw, ops)
        self._guard = Guard()
        self._memory = Memory()
        self._news = News()
        self._archive_at = float("-inf")
        self._archiving: Recording | None = None
        self._known: tuple[InForce | None, dict[str, Known]] = (None, {})
        self._opened = False
        self._said: dict[str, str] = {}
        self.judged: Judged | None = None

    # --- its life -----------------------------------------------------------------------------------------------------

    def open(self) -> bool:
        """Reads what an earlier run left and makes sure there is a document; False if the disk does not let it."""
        if self._opened:
            return True
        try:
            for file in (self._places.document, self._places.heartbeat, self._places.memory):
                ensure_dir(self._ops, file.parent)
                sweep_leftovers(self._ops, file.parent, self._clock.time(), file.name)
            self._document.open(self._clock.time())
            self._memory, problem = load_memory(self._places.memory, self._ops)
        except OSError as error:
            self._trouble("disk", f"{error}. {KEPT} Mend the disk.")
            return False
        for text in (self._document.problem, problem):
            if text:
                log.warning("%s", text)
        self._guard = Guard(self._memory.traders)
        self._news = News(self._memory.seen_ms)
        if self._memory.archived_at is not None and self._memory.archived_at <= self._clock.time():
            self._archive_at = self._memory.archived_at + ARCHIVE_S
        self._opened = True
        return True

    def close(self) -> None:
        """Ends what goes on beside the polls and tells the next run what this one knows."""
        try:
            self.archived(wait=True)
        except OSError as error:
            self._trouble("raw", f"raw_signals/{SOURCE}: {error}; it is for people only.")
        if self._opened and self._as_of is None:
            self._remember(self._memory)

    def wants_metagraph(self) -> bool:
        found = self._settings.look()
        return found is not None and found.keys.metagraph

    # --- one poll -----------------------------------------------------------------------------------------------------

    async def poll(self, *, write: bool = True) -> bool:
        """One reply; True if it was an opinion and is written. Raises nothing of what a feed or a disk can do."""
        if write and not self.open():
            return False
        found = self._settings.look()
        for trouble in self._settings.troubles():
            self._trouble(trouble.partition(":")[0], trouble)
        for note in self._settings.notes():
            self._trouble(note.partition(";")[0], note)
        if found is None:
            return False
        recording = self._recording(found.keys.raw_max_gb) if write and self._keeps_raw else None
        started_at = self._clock.time()
        try:
            traders = await self._reply(found, started_at, recording)
        except (BadReply, FeedTrouble) as error:
            return self._refused(f"The feed's reply {error}" if isinstance(error, BadReply) else f"The feed {error}",
                                 recording, unread=True)  # fmt: skip
        guard, why = self._guard, ""
        if self._as_of is None:
            guard, why = self._guard.judge(traders, found.keys.miner_loss_guard)
            self._guard = guard
        if why or not traders:
            return self._refused(f"The feed's reply {why or 'names no trader at all'}", recording)
        self._good("feed", "The feed is read again.")
        now = self._clock.time()
        self.judged = self._judge(found, traders, now)
        return self._write(self.judged, now, recording) if write else True

    async def _reply(self, found: InForce, started_at: float, recording: Recording | None) -> dict[str, Trader]:
        """The traders of the next reply. Raises BadReply, FeedTrouble."""
        as_of_ms = None if self._as_of is None else round(self._as_of * 1000)
        view = View(
            frozenset(found.assets),
            found.keys.leverage_limit_crypto,
            as_of_ms,
            None if as_of_ms is not None else round((started_at + FUTURE_S) * 1000),
        )
        known = self._known[1] if self._known[0] == found else {}
        reader = ReplyReader(view, known, self._news.see if self._keeps_raw else None)
        archive = recording.take if recording is not None else None

        def take(piece: bytes) -> None:
            if archive is not None:
                archive(piece)
            reader.take(piece)

        await self.feed.fetch(take)
        traders = reader.finish()
        self._known = (found, reader.known)
        return traders

    def _judge(self, found: InForce, traders: Mapping[str, Trader], now: float) -> Judged:
        as_of = now if self._as_of is None else self._as_of
        registered, words = None, "metagraph: off (switched off)"
        if self._as_of is not None:
            words = "metagraph: off (it is today's, and this is how it stood earlier)"
        elif found.keys.metagraph:
            registered, words = self._registry.registered(traders)
        incentives = None if registered is None else registered.incentives
        counted = [one for name, one in traders.items() if incentives is None or name in incentives]
        unregistered = tuple(sorted(set(traders) - {one.hotkey for one in counted}))
        ranking = rank(counted, found.keys, round(as_of * 1000), incentives)
        self._trouble("metagraph", f"{words}.", logging.INFO)
        return Judged(
            as_of, len(traders), ranking, opinions(ranking.ranked, found.assets, found.keys), words, unregistered
        )

    def _write(self, judged: Judged, now: float, recording: Recording | None) -> bool:
        former = self._document.signals
        signals, changed = signals_after(former, judged.opinions, judged.as_of)
        try:
            if self._as_of is not None:
                self._document.hush()
            self._document.write(signals, now)
            if self._as_of is None:
                self._document.beat(now)
        except OSError as error:
            self._trouble("disk", f"{error}. {KEPT} Mend the disk.")
            self._news.refused()
            self._drop(recording)
            return False
        self._good("disk", "The disk works again.")
        for asset in changed:
            before = f" (was {plain(former[asset].depth)})" if asset in former else ""
            who = f"{len(judged.ranking.ranked)} of {judged.traders} traders count"
            log.info("%s depth %s%s, %s", asset, plain(judged.opinions[asset].depth), before, who)
        if self._as_of is None:
            self._keep(now, recording)
        return True

    # --- what is no opinion -------------------------------------------------------------------------------------------

    def _refused(self, what: str, recording: Recording | None, *, unread: bool = False) -> bool:
        self._news.refused()
        if unread:
            self._guard = self._guard.interrupted()
        self._drop(recording)
        self._trouble("feed", f"{what}. {KEPT} {REMEDY}")
        return False

    def _drop(self, recording: Recording | None) -> None:
        if recording is not None:
            recording.drop()

    def _trouble(self, about: str, text: str, level: int = logging.WARNING) -> None:
        """Says it once, until something else is to be said about it."""
        if self._said.get(about) != text:
            self._said[about] = text
            log.log(level, "%s", text)

    def _good(self, about: str, text: str) -> None:
        if self._said.pop(about, ""):
            log.info("%s", text)

    # --- what is kept for people and the next run ---------------------------------------------------------------------

    def _recording(self, limit_gb: Decimal) -> Recording | None:
        """Of the reply that comes next, once an hour. One that fails is not tried again before the next hour."""
        now = self._clock.time()
        if now < self._archive_at or self.judged is None:
            return None  # the first reply is work enough: the next one has the same history
        self._archive_at = now + ARCHIVE_S
        try:
            self.archived()
            if self._archiving is not None:
                return None  # an hour for one archive: this disk does not want another
            if gone := self._raw.bound(limit_gb, day_of(now)):
                log.info("raw_max_gb is reached: removed %s", ", ".join(gone))
            return self._raw.record(round(now))
        except OSError as error:
            self._trouble("raw", f"raw_signals/{SOURCE}: {error}; it is for people only, the signals go on.")
            return None

    def _keep(self, now: float, recording: Recording | None) -> None:
        """Raw records and memory, after the document is out."""
        memory = replace(self._memory, traders=self._guard.accepted)
        try:
            if self._keeps_raw:
                lines = self._news.accepted()
                memory = replace(memory, seen_ms=self._news.seen_ms)
                self._raw.append(lines, now)
            if recording is not None:
                recording.keep(now)
                self._archiving = recording
                memory = replace(memory, archived_at=now)
            self._good("raw", f"raw_signals/{SOURCE} can be written again.")
        except OSError as error:
            self._trouble("raw", f"raw_signals/{SOURCE}: {error}; it is for people only, the signals go on.")
        if memory.traders != self._memory.traders or memory.archived_at != self._memory.archived_at:
            self._remember(memory)
        self._memory = memory

    def archived(self, *, wait: bool = False) -> bool:
        """Whether no archive is being written any more. Raises OSError where the last one could not be."""
        recording = self._archiving
        if recording is None:
            return True
        try:
            done = recording.kept(wait=wait)
        except OSError:
            self._archiving = None
            raise
        self._archiving = None if done else recording
        return done

    def _remember(self, memory: Memory) -> None:
        try:
            save_memory(self._places.memory, memory, self._ops)
        except OSError as error:
            self._trouble("memory", f"{self._places.memory.name}: {error}; only the next start would miss it.")
