"""Answers of providers in one SQLite file, and the pace at which they are asked.

The file holds text and pictures alone (no pickles, which would run the code of whoever wrote it),
several processes may use it at once, and through it they share a provider's pace: a page of
several processes asks no faster than one.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from movierec.logs import logger
from movierec.posters.films import Details, Film, ProviderError

if TYPE_CHECKING:
    from movierec.posters.tmdb import Tmdb

LONGEST_WAIT = 60.0  # seconds that a film waits for its turn before it is given up
LONGEST_PAUSE = 3_600.0  # seconds that a provider may have itself left alone
JPEG = b"\xff\xd8\xff"
FILE = "answers.sqlite"

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
_KEPT = """
SELECT found, title, overview, poster FROM answers
WHERE provider = ? AND language = ? AND film = ? AND until > ?
"""
# takes a turn unless it is too far away, and gives in how many seconds it is
_TURN = """
INSERT INTO turns VALUES (:provider, :now + :interval)
ON CONFLICT (provider) DO UPDATE SET next = max(next, :now) + :interval
WHERE next <= :now + :longest RETURNING next - :interval - :now
"""
_REST = """
INSERT INTO turns VALUES (:provider, :until)
ON CONFLICT (provider) DO UPDATE SET next = max(next, :until)
"""


class Cache:
    """Answers of one provider in one language, with their expiry.

    Where the folder cannot be used, answers are kept in memory; what the disk refuses later is
    logged, and then unknown.
    """

    def __init__(self, folder: Path, provider: Tmdb) -> None:
        self._provider = provider
        self._writing = threading.Lock()  # nothing is closed while it is written
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # two of them: what a page reads never waits for what a thread writes
            self._written, self._read = (_connected(folder / FILE) for _ in range(2))
        except (OSError, sqlite3.Error) as error:
            told = f"{FILE} of {folder} cannot be used ({error}): answers are kept in memory"
            log.warning("%s. If it is damaged, remove it", told)
            self._written = self._read = _connected(":memory:")

    def get(self, film: Film) -> Kept | None:
        """What is kept of a film, at once; None if nothing is, or no longer."""
        try:
            row = self._read.execute(_KEPT, [*self._key(film), time.time()]).fetchone()
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
        return Kept(Details(title, overview, poster, self._provider.label))

    def put(self, film: Film, details: Details | None, seconds: float) -> None:
        """Keep an answer for so many seconds; None: there is no such film."""
        texts = (details.title, details.overview, details.poster) if details else (None,) * 3
        row = [*self._key(film), time.time() + seconds, details is not None, *texts]
        self.write(f"REPLACE INTO answers VALUES ({', '.join('?' * len(row))})", row)

    def _key(self, film: Film) -> tuple[str, str, str]:
        """Of a film in any data set: its title has its year in it."""
        told = "|".join(str(part or "") for part in (film.title, film.tmdb_id))
        return self._provider.label, self._provider.language, told

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
        with self._writing:
            self._written.close()
            self._read.close()


def _connected(path: Path | str) -> sqlite3.Connection:
    # SQLite lets threads take turns at a connection, and each statement is whole by itself
    db = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
    try:
        db.execute("PRAGMA trusted_schema = OFF")  # the file may come from somebody else
        db.execute("PRAGMA journal_mode = WAL")  # reading never waits for writing
        db.execute("PRAGMA synchronous = NORMAL")
        db.executescript(_SCHEMA)
        now = time.time()
        db.execute("DELETE FROM answers WHERE until < ?", [now])
        # a clock that was wrong would keep a provider away for years
        db.execute("DELETE FROM turns WHERE next > ?", [now + LONGEST_PAUSE])
    except sqlite3.Error:
        db.close()
        raise
    return db


class Pace:
    """How fast a provider may be asked, shared by all processes that use one cache.

    Its next turn stands there; `ending` is set when nobody waits any more.
    """

    def __init__(self, cache: Cache, provider: Tmdb, ending: threading.Event) -> None:
        self._cache, self._provider, self._ending = cache, provider, ending

    def turn(self) -> None:
        """Wait until one request may be sent.

        Raises:
            ProviderError: the turn is too far away.
        """
        asked = {"provider": self._provider.label, "interval": self._provider.interval}
        asked |= {"now": time.time(), "longest": LONGEST_WAIT}
        if not (taken := self._cache.write(_TURN, asked)):
            raise ProviderError(f"it is left alone for more than {LONGEST_WAIT:.0f} s", "silent")
        self.sleep(taken[0][0])

    def rest(self, seconds: float) -> None:
        """Let nobody ask for so long, of at most `LONGEST_PAUSE` seconds."""
        until = time.time() + min(seconds, LONGEST_PAUSE)
        self._cache.write(_REST, {"provider": self._provider.label, "until": until})

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end of the work."""
        if self._ending.wait(max(seconds, 0.0)):
            raise ProviderError("nobody waits any more", "silent")
