"""Answers of providers in one SQLite file, and the pace at which they are asked.

The file holds text and pictures alone (no pickles, which would run the code of whoever wrote it),
several processes may use it at once, and through it they share a provider's pace: twenty visitors
with a kernel each ask no faster than one.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from movierec.errors import ProviderError
from movierec.logs import logger
from movierec.posters.provider import Details, Film, Provider

LONGEST_WAIT = 30.0  # seconds that a film waits for its turn before it is given up
LONGEST_PAUSE = 3_600.0  # seconds that a provider may have itself left alone
JPEG = b"\xff\xd8\xff"

log = logger(__name__)


@dataclass(frozen=True)
class Kept:
    """What is kept of a film; details of None: the provider has no such film."""

    details: Details | None


_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    provider TEXT, language TEXT, film TEXT, until REAL, found INTEGER,
    title TEXT, overview TEXT, poster BLOB,
    PRIMARY KEY (provider, language, film)
);
CREATE INDEX IF NOT EXISTS expiry ON answers (until);
CREATE TABLE IF NOT EXISTS turns (provider TEXT PRIMARY KEY, next REAL);
"""


class Cache:
    """Answers of one provider in one language, with their expiry, and when its next turn is.

    Where the folder cannot be used, answers are kept in memory; what the disk refuses later is
    logged, and then unknown.

    Args:
        folder: where the file is.
        provider: whose answers they are.
    """

    def __init__(self, folder: Path, provider: Provider) -> None:
        self._of = (provider.name, provider.language)
        self._label = provider.label
        try:
            # two of them: what a page reads never waits for what a thread writes
            self._written, self._read = _opened(folder), _opened(folder)
        except (OSError, sqlite3.Error) as error:
            log.warning("%s cannot be used (%s): answers are kept in memory", folder, error)
            self._written = self._read = _connected(":memory:")
        # threads take turns at a connection
        self._writing, self._reading = threading.Lock(), threading.Lock()
        if self._read is self._written:
            self._reading = self._writing

    def get(self, film: Film) -> Kept | None:
        """What is kept of a film, at once; None if nothing is, or no longer."""
        query = (
            "SELECT found, title, overview, poster FROM answers "
            "WHERE provider = ? AND language = ? AND film = ? AND until > ?"
        )
        try:
            with self._reading:
                row = self._read.execute(query, [*self._of, _key(film), time.time()]).fetchone()
        except sqlite3.Error as error:
            log.warning("the cache cannot be read: %s", error)
            return None
        if row is None:
            return None
        found, *texts, poster = row
        if not found:
            return Kept(None)
        title, overview = (text if isinstance(text, str) else None for text in texts)
        if not (isinstance(poster, bytes) and poster.startswith(JPEG)):
            poster = None  # not written here
        return Kept(Details(title, overview, poster, self._label))

    def put(self, film: Film, details: Details | None, seconds: float) -> None:
        """Keep an answer for so many seconds; None: there is no such film."""
        texts = (details.title, details.overview, details.poster) if details else (None,) * 3
        row = [*self._of, _key(film), time.time() + seconds, details is not None, *texts]
        query = f"REPLACE INTO answers VALUES ({', '.join('?' * len(row))})"
        try:
            with self._writing:
                self._written.execute(query, row)
        except sqlite3.Error as error:
            log.warning("an answer could not be kept: %s", error)

    def turn(self, interval: float) -> float:
        """Seconds until the next turn, which is then taken, unless it is too far away."""
        with self._transaction() as (now, next_turn):
            if next_turn - now <= LONGEST_WAIT:
                self._set_turn(next_turn + interval)
        return next_turn - now

    def rest(self, seconds: float) -> None:
        """Let there be no turn for so long."""
        with self._transaction() as (now, next_turn):
            self._set_turn(max(next_turn, now + min(seconds, LONGEST_PAUSE)))

    @contextmanager
    def _transaction(self) -> Iterator[tuple[float, float]]:
        """The time, and when the next turn is; other processes wait."""
        with self._writing:
            self._written.execute("BEGIN IMMEDIATE")
            try:
                query = "SELECT next FROM turns WHERE provider = ?"
                row = self._written.execute(query, self._of[:1]).fetchone()
                now = time.time()
                # no later than any rest: a clock that was wrong would keep it away for years
                yield now, min(max(row[0] if row else now, now), now + LONGEST_PAUSE)
                self._written.execute("COMMIT")
            except BaseException:
                self._written.execute("ROLLBACK")
                raise

    def _set_turn(self, at: float) -> None:
        self._written.execute("REPLACE INTO turns VALUES (?, ?)", [self._of[0], at])

    def close(self) -> None:
        """Let go of the disk."""
        with self._writing:
            self._written.close()
        with self._reading:
            self._read.close()


def _opened(folder: Path) -> sqlite3.Connection:
    """The file of a folder, begun anew if it is damaged."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "answers.sqlite"
    try:
        return _connected(path)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
            raise
        log.warning("%s is damaged and begun anew: %s", path, error)
        for file in folder.glob("answers.sqlite*"):
            file.unlink()
        return _connected(path)


def _connected(path: Path | str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA trusted_schema = OFF")  # the file may come from somebody else
        db.execute("PRAGMA journal_mode = WAL")  # reading never waits for writing
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
        db.execute("DELETE FROM answers WHERE until < ?", [time.time()])
    except sqlite3.Error:
        db.close()
        raise
    return db


class Pace:
    """How fast a provider may be asked, shared by all processes that use one cache."""

    def __init__(self, cache: Cache, interval: float, ending: threading.Event) -> None:
        self._cache, self._interval, self._ending = cache, interval, ending

    def turn(self) -> None:
        """Wait until one request may be sent.

        Raises:
            ProviderError: the turn is too far away.
        """
        seconds = self._cache.turn(self._interval)
        if seconds > LONGEST_WAIT:
            raise ProviderError(f"it wants to be left alone for {seconds:.0f} seconds", "silent")
        self.sleep(seconds)

    def rest(self, seconds: float) -> None:
        """Let nobody ask for so long."""
        self._cache.rest(seconds)

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end of the work."""
        if self._ending.wait(max(seconds, 0.0)):
            raise ProviderError("nobody waits any more", "silent")


def _key(film: Film) -> str:
    """A film in any data set: its title has its year in it."""
    return "|".join(str(part or "") for part in (film.title, film.tmdb_id, film.imdb_id))
