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

    Args:
        folder: where the file is; None: in memory.
        provider: whose answers they are.

    Raises:
        OSError, sqlite3.Error: the folder cannot be used.
    """

    def __init__(self, folder: Path | None, provider: Provider) -> None:
        self._of = (provider.name, provider.language)
        self._label = provider.label
        self._lock = threading.Lock()
        if folder is None:
            self._db = self._connect(":memory:")
            return
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "answers.sqlite"
        try:
            self._db = self._connect(path)
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode not in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
                raise
            log.warning("%s is damaged and begun anew: %s", path, error)
            for file in folder.glob("answers.sqlite*"):
                file.unlink()
            self._db = self._connect(path)

    @staticmethod
    def _connect(path: Path | str) -> sqlite3.Connection:
        # autocommit; threads take turns by the lock
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

    def get(self, film: Film) -> Kept | None:
        """What is kept of a film; None if nothing is, or no longer."""
        query = (
            "SELECT found, title, overview, poster FROM answers "
            "WHERE provider = ? AND language = ? AND film = ? AND until > ?"
        )
        with self._lock:
            row = self._db.execute(query, [*self._of, _key(film), time.time()]).fetchone()
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
        with self._lock:
            self._db.execute(f"REPLACE INTO answers VALUES ({', '.join('?' * len(row))})", row)

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
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                query = "SELECT next FROM turns WHERE provider = ?"
                row = self._db.execute(query, self._of[:1]).fetchone()
                now = time.time()
                # no later than any rest: a clock that was wrong would keep it away for years
                yield now, min(max(row[0] if row else now, now), now + LONGEST_PAUSE)
                self._db.execute("COMMIT")
            except BaseException:
                self._db.execute("ROLLBACK")
                raise

    def _set_turn(self, at: float) -> None:
        self._db.execute("REPLACE INTO turns VALUES (?, ?)", [self._of[0], at])

    def close(self) -> None:
        with self._lock:
            self._db.close()


class SharedPace:
    """A provider's pace, shared by all processes that use one cache."""

    def __init__(self, cache: Cache, provider: Provider, ending: threading.Event) -> None:
        self._cache, self._interval, self._ending = cache, provider.interval, ending

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
