"""Answers of TMDB in one SQLite file, and the pace at which it is asked.

Several processes may use it at once: a page of several asks no faster than one.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movierec.logs import logger
from movierec.posters.films import Details, Film, ProviderError

if TYPE_CHECKING:
    from movierec.posters.tmdb import Tmdb

LONGEST_WAIT = 60.0  # seconds that a film waits for its turn before it is given up
LONGEST_PAUSE = 3_600.0  # seconds that a provider may have itself left alone
JPEG = b"\xff\xd8\xff"
FILE = "tmdb.sqlite"

log = logger(__name__)

_SCHEMA = """
PRAGMA trusted_schema = OFF; -- the file may come from somebody else
PRAGMA journal_mode = WAL; -- reading never waits for writing
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS answers (
    language TEXT, film TEXT, until REAL, title TEXT, overview TEXT, poster BLOB,
    PRIMARY KEY (language, film)
);
CREATE TABLE IF NOT EXISTS turns (one INTEGER PRIMARY KEY, next REAL);
"""
_MADE = "SELECT sql FROM sqlite_master ORDER BY sql"
_KEPT = "SELECT title, overview, poster FROM answers WHERE language = ? AND film = ? AND until > ?"
# takes a turn unless it is too far away, and gives in how many seconds it is
_TURN = """
INSERT INTO turns VALUES (1, :now + :interval)
ON CONFLICT (one) DO UPDATE SET next = max(next, :now) + :interval
WHERE next <= :now + :longest RETURNING next - :interval - :now
"""
_REST = "INSERT INTO turns VALUES (1, ?) ON CONFLICT DO UPDATE SET next = max(next, excluded.next)"


class Cache:
    """Answers in one language, with their expiry, and the next turn to ask for one.

    Where the folder cannot be used, answers are kept in memory; what the disk refuses later is
    logged, and then unknown.
    """

    def __init__(self, folder: Path, provider: Tmdb) -> None:
        self.ending = threading.Event()  # set when nobody waits any more
        self._language, self._interval = provider.language, provider.interval
        # of both two: reading never waits for writing. A connection is one thread's at a time
        self._writing, self._reading = threading.RLock(), threading.RLock()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._written, self._read = (_connected(folder / FILE) for _ in range(2))
        except (OSError, sqlite3.Error) as error:
            told = f"{FILE} of {folder} cannot be used ({error}): answers are kept in memory"
            log.warning("%s. If it is damaged, remove it", told)
            self._written = self._read = _connected(":memory:")
            self._reading = self._writing  # which a thread may hold twice, so RLock

    def get(self, film: Film) -> Details | None:
        """What is kept of a film, at once; None if nothing is, or no longer."""
        try:
            with self._reading:
                row = self._read.execute(_KEPT, [*self._key(film), time.time()]).fetchone()
        except sqlite3.Error as error:
            log.warning("the cache cannot be read: %s", error)
            return None
        if row is None:
            return None
        *texts, poster = row  # of other kinds where it was not written here
        title, overview = (text if isinstance(text, str) else None for text in texts)
        drawn = isinstance(poster, bytes) and poster.startswith(JPEG)
        return Details(title, overview, poster if drawn else None)

    def put(self, film: Film, told: Details, seconds: float) -> None:
        """Keep an answer for so many seconds."""
        until = time.time() + seconds
        row = [*self._key(film), until, told.title, told.overview, told.poster]
        self.write("REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?)", row)

    def _key(self, film: Film) -> tuple[str, str]:
        """Of a film in any data set: its title has its year in it."""
        return self._language, "|".join(str(part or "") for part in (film.title, film.tmdb_id))

    def turn(self) -> None:
        """Wait until one request may be sent.

        Raises:
            ProviderError: the turn is too far away.
        """
        asked = {"now": time.time(), "interval": self._interval, "longest": LONGEST_WAIT}
        if not (taken := self.write(_TURN, asked)):
            raise ProviderError(f"it is left alone for more than {LONGEST_WAIT:.0f} s", "silent")
        self.sleep(taken[0][0])

    def rest(self, seconds: float) -> None:
        """Let nobody ask for so long, of at most `LONGEST_PAUSE` seconds."""
        self.write(_REST, [time.time() + min(seconds, LONGEST_PAUSE)])

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end of the work."""
        if self.ending.wait(max(seconds, 0.0)):
            raise ProviderError("nobody waits any more", "silent")

    def write(self, statement: str, values: Sequence[Any] | dict[str, Any]) -> list[tuple]:
        """One statement, whole or not at all, and what it gives; nothing if the disk refuses."""
        try:
            with self._writing:
                return self._written.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            log.warning("the cache cannot be written: %s", error)
            return []

    def close(self) -> None:
        """Let go of the disk."""
        with self._writing, self._reading:  # nothing is closed while it is used
            self._written.close()
            self._read.close()


def _connected(path: Path | str) -> sqlite3.Connection:
    db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        db.executescript(_SCHEMA)
        with closing(sqlite3.connect(":memory:")) as fresh:
            fresh.executescript(_SCHEMA)
            made = fresh.execute(_MADE).fetchall()
        if db.execute(_MADE).fetchall() != made:  # a view or a trigger might never end
            raise sqlite3.DatabaseError("it holds what was not made here")
        db.execute("DELETE FROM answers WHERE until < ?", [time.time()])
        # a clock that was wrong would keep a provider away for years
        db.execute("DELETE FROM turns WHERE next > ?", [time.time() + LONGEST_PAUSE])
    except sqlite3.Error:
        db.close()
        raise
    return db
