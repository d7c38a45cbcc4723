"""Posters and titles in the visitor's language: asked of a provider, kept on disk, never awaited.

A page shows at once what is `known` and `ask`s for the rest; an answer comes later, from another
thread, or never. Whatever the network, the provider or the disk does, nothing is raised into the
page: it is logged under `movierec.explorer.metadata`.

The answers are kept in one SQLite file. It holds text and pictures alone (no pickles, which would
run the code of whoever wrote the file), several processes may use it at once, and through it they
share the provider's pace: twenty visitors with a kernel each ask no faster than one.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
import re
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from movierec.errors import InputError, ProviderError
from movierec.paths import data_dir

if TYPE_CHECKING:
    import pandas as pd

PROVIDERS = ("tmdb", "douban")
PROVIDER_VARIABLE = "MOVIEREC_METADATA"  # one of PROVIDERS, or "off"
LANGUAGE_VARIABLE = "MOVIEREC_LANGUAGE"
MIRROR_VARIABLE = "MOVIEREC_TMDB_MIRROR"  # where TMDB is asked in place of its own hosts
LOOPBACK = ("localhost", "127.0.0.1", "::1")
KEY_VARIABLES = ("TMDB_TOKEN", "TMDB_API_KEY")  # the first that is set counts

DAY = 86_400.0  # seconds
KEPT = 90 * DAY  # an answer; TMDB allows no more than six months
KEPT_PARTLY = DAY  # an answer whose picture could not be had
KEPT_NOTHING = 3 * DAY  # that the provider has no such film

WAITING = 200  # films that wait to be asked for; of more, those that were wanted first are dropped
ONE_WISH = 0.5  # seconds between two questions of one page
THREADS = 2
GIVEN_UP = 5  # films without an answer, one after the other, that end a fetching of many
SPARED = 600.0  # seconds without asking again for a film whose answer was no good
REST = 10.0  # seconds without asking at all after a failure, doubled with each further one
LONGEST_REST = 600.0
LONGEST_WAIT = 30.0  # seconds that a film waits for its turn before it is given up
LONGEST_PAUSE = 3_600.0  # seconds that a provider may have itself left alone
JPEG = b"\xff\xd8\xff"

log = logging.getLogger(__name__)
log.addHandler(logging.NullHandler())  # without any handler, Python would write into the page


@dataclass(frozen=True)
class Details:
    """What a provider says of a film.

    Attributes:
        title: in the language that was asked for, where the provider has one; plain text.
        overview: what it is about, in a few sentences; plain text.
        poster: a JPEG of at most 342 by 513 pixels, decoded and written anew here.
        source: the provider's name, such as "TMDB".
    """

    title: str | None
    overview: str | None
    poster: bytes | None
    source: str


@dataclass(frozen=True)
class Film:
    """A film as a provider is asked for it.

    Attributes:
        title: as MovieLens writes it, such as "Matrix, The (1999)".
        year: None if unknown.
        tmdb_id, imdb_id: its numbers there, where the data set tells them.
    """

    title: str
    year: int | None = None
    tmdb_id: int | None = None
    imdb_id: int | None = None


@dataclass(frozen=True)
class Found:
    """A film as a provider describes it, its picture not yet fetched."""

    title: str | None
    overview: str | None
    poster_url: str | None


class Pace(Protocol):
    """How fast a provider may be asked."""

    def turn(self) -> None:
        """Wait until one request may be sent.

        Raises:
            ProviderError: the turn is too far away.
        """

    def rest(self, seconds: float) -> None:
        """Let nobody ask for so long."""

    def sleep(self, seconds: float) -> None:
        """Wait, but not beyond the end of the work."""


class Provider(Protocol):
    """Who is asked; `movierec.explorer.providers` has them."""

    name: str
    label: str
    language: str
    attribution: str
    interval: float

    def look_up(self, film: Film, pace: Pace) -> Found | None:
        """The film, or None where the provider has none that is surely the same."""

    def poster(self, url: str, pace: Pace) -> bytes:
        """A picture as a JPEG."""

    def close(self) -> None:
        """Let connections go."""


Done = Callable[[int, Details], None]  # a film's id, and what came; from another thread


@dataclass(frozen=True)
class Settings:
    """Who is to be asked, as the environment and the caller have it.

    Attributes:
        provider: one of `PROVIDERS`.
        language: such as "en-US" or "zh-CN".
        key_variable: the environment variable that holds the key; "" where none is needed.
        mirror: where TMDB is asked in place of its own hosts; "" for its own.
    """

    provider: str
    language: str
    key_variable: str
    mirror: str


def settings(provider: str | None = None, language: str | None = None) -> Settings | None:
    """Who is to be asked: `$TMDB_TOKEN` or `$TMDB_API_KEY` turns TMDB on.

    `$MOVIEREC_METADATA` names a provider, or "off"; `$MOVIEREC_LANGUAGE` the language;
    `$MOVIEREC_TMDB_MIRROR` a host that passes TMDB's API and pictures on.

    Args:
        provider, language: in place of the environment's.

    Returns:
        None without a key, and where it is off.

    Raises:
        InputError: an unknown provider, no key for it, or what is no language or no address.
    """
    name = provider or os.environ.get(PROVIDER_VARIABLE) or ""
    key = next((name for name in KEY_VARIABLES if os.environ.get(name, "").strip()), "")
    if name == "off" or not (name or key):
        return None
    if name not in ("", *PROVIDERS):
        raise InputError(
            f"unknown provider of posters {name!r}; expected {' or '.join(PROVIDERS)}, or off "
            f"(from --provider or {PROVIDER_VARIABLE})"
        )
    language = language or os.environ.get(LANGUAGE_VARIABLE) or "en-US"
    if not re.fullmatch(r"[a-z]{2}(-[A-Z]{2})?", language):
        raise InputError(f"got the language {language!r}; expected one such as en-US or zh-CN")
    if name == "douban":
        return Settings(name, "zh-CN", "", "")
    if not key:
        raise InputError(
            f"{' and '.join(KEY_VARIABLES)} are empty, and TMDB needs a key; it gives one to "
            f"every account, under Settings, API: set {KEY_VARIABLES[0]} to it"
        )
    return Settings("tmdb", language, key, _mirror())


def _mirror() -> str:
    address = os.environ.get(MIRROR_VARIABLE, "").rstrip("/")
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("https", "http") and parts.hostname and not parts.path
    except ValueError:
        good = False
    if address and not good:
        raise InputError(
            f"{MIRROR_VARIABLE} is {address!r}; expected an address such as https://example.org"
        )
    if address and parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise InputError(f"{MIRROR_VARIABLE} is {address}; expected https, since a key is sent")
    return address


def configured(
    movies: pd.DataFrame, provider: str | None = None, language: str | None = None
) -> Metadata | None:
    """The metadata that the environment asks for; see `settings`.

    Args:
        movies: the movies table, with `tmdb_id` and `imdb_id` where the data set has them.
        provider, language: in place of the environment's.

    Returns:
        None without a key, and where it is off.

    Raises:
        InputError: as `settings`.
    """
    if (chosen := settings(provider, language)) is None:
        return None
    from movierec.explorer.providers import Douban, Tmdb  # here: a tenth of a second

    if chosen.provider == "douban":
        return Metadata(Douban(), movies)
    key = os.environ[chosen.key_variable].strip()
    tmdb = Tmdb(key, chosen.language)
    if chosen.mirror:
        tmdb = Tmdb(key, chosen.language, api=chosen.mirror, images=chosen.mirror)
    return Metadata(tmdb, movies)


class Metadata:
    """Posters and titles of films, those that are known at once, the others when they come.

    Attributes:
        provider: who is asked.
        attribution: what a page that shows the answers has to say, as plain text.
        language: of the titles.
        folder: where the answers are kept.
    """

    def __init__(
        self, provider: Provider, movies: pd.DataFrame, cache_dir: Path | None = None
    ) -> None:
        self.provider = provider
        self.attribution, self.language = provider.attribution, provider.language
        self._films = dict(_films(movies))
        folder = self.folder = cache_dir or data_dir() / "metadata"
        try:
            # two of them: what the page reads never waits for what a thread writes
            self._kept, self._keeping = _Cache(folder, provider), _Cache(folder, provider)
        except (OSError, sqlite3.Error) as error:
            log.warning("%s cannot be used (%s): answers are kept in memory", folder, error)
            self._kept = self._keeping = _Cache(None, provider)
        self._ending = threading.Event()
        self._pace = _Pace(self._keeping, provider, self._ending)
        self._changed = threading.Condition()  # guards what follows
        self._wanted: dict[Film, list[tuple[int, Done]]] = {}
        self._waiting: dict[Film, tuple[int, int]] = {}  # the least one is next
        self._wish, self._wished = 0, -math.inf  # number and time of the latest wish
        self._spared: dict[Film, float] = {}
        self._counter = itertools.count()
        self._failures, self._resting = 0, 0.0
        self._threads: list[threading.Thread] = []

    def known(self, movie_id: int) -> Details | None:
        """What is kept of a film; at once, and without the network."""
        film = self._films.get(movie_id)
        try:
            kept = film and self._kept.get(film)
        except sqlite3.Error as error:
            log.warning("the cache cannot be read: %s", error)
            return None
        return kept.details if kept else None

    def ask(self, films: pd.DataFrame, done: Done) -> None:
        """Ask for films, the first ones first and before all that was asked for earlier.

        What is asked for within `ONE_WISH` seconds is of one page, and goes in its order.

        Args:
            films: with `movie_id`, `title` and `year`.
            done: called with a film's id and its details when they come, from another thread; never
                called for a film of which nothing comes.
        """
        asked = [(movie_id, self._films.get(movie_id, film)) for movie_id, film in _films(films)]
        with self._changed:
            now = time.monotonic()
            if self._ending.is_set() or self._resting == math.inf:
                return
            self._wish += now - self._wished > ONE_WISH
            self._wished = now
            for movie_id, film in asked:
                self._films[movie_id] = film
                if now < self._spared.get(film, 0.0):
                    continue
                if film not in self._wanted or film in self._waiting:
                    place = (-self._wish, next(self._counter))
                    self._waiting[film] = min(place, self._waiting.get(film, place))
                callers = self._wanted.setdefault(film, [])
                if (movie_id, done) not in callers:  # a page asks again with every list
                    callers.append((movie_id, done))
            while len(self._waiting) > WAITING:
                last = max(self._waiting, key=self._waiting.__getitem__)
                del self._waiting[last], self._wanted[last]
            while self._waiting and len(self._threads) < THREADS:
                thread = threading.Thread(target=self._work, name="metadata", daemon=True)
                self._threads.append(thread)
                thread.start()
            self._changed.notify_all()

    def look_up(self, film: Film) -> Details | None:
        """What is kept of a film, else what the provider says now, which is kept.

        Raises:
            ProviderError: it says nothing, or nothing that can be used.
        """
        if kept := self._keeping.get(film):
            return kept.details
        found = self.provider.look_up(film, self._pace)
        if found is None:
            self._keep(film, None, KEPT_NOTHING)
            return None
        poster, seconds = None, KEPT
        if found.poster_url:
            try:
                poster = self.provider.poster(found.poster_url, self._pace)
            except ProviderError as error:
                log.warning("poster of %s: %s", film.title, error)
                seconds = KEPT_PARTLY
        details = Details(found.title, found.overview, poster, self.provider.label)
        self._keep(film, details, seconds)
        return details

    def prefetch(
        self, movies: pd.DataFrame, on_film: Callable[[int, int], None] = lambda done, total: None
    ) -> dict[str, int]:
        """Look films up and wait for it, so that a page knows them from the start.

        Args:
            movies: the films, first ones first.
            on_film: called with the number of films done and of all.

        Returns:
            How many `films` there were, how many of them were `found`, with how many `posters`, and
            how many `failed`.

        Raises:
            InputError: the provider refuses the key, or fails for `GIVEN_UP` films on end; what
                came before is kept.
        """
        counts: Counter[str] = Counter(films=len(movies), found=0, posters=0, failed=0)
        on_end = 0
        with ThreadPoolExecutor(THREADS, "metadata") as pool:
            try:
                outcomes = pool.map(self._outcome, (film for _, film in _films(movies)))
                for number, outcome in enumerate(outcomes, start=1):
                    if isinstance(outcome, ProviderError):
                        counts["failed"] += 1
                        on_end += 1
                        if outcome.kind == "refused":
                            raise InputError(f"{outcome}; set a valid one") from outcome
                        if outcome.kind == "silent" and on_end >= GIVEN_UP:
                            raise InputError(
                                f"{outcome}, for {GIVEN_UP} films on end; try again later: what "
                                "has come is kept"
                            ) from outcome
                    else:
                        on_end = 0
                        counts["found"] += outcome is not None
                        counts["posters"] += bool(outcome and outcome.poster)
                    on_film(number, len(movies))
            except BaseException:
                self._ending.set()  # those under way stop too
                pool.shutdown(cancel_futures=True)
                raise
        return dict(counts)

    def _outcome(self, film: Film) -> Details | ProviderError | None:
        try:
            return self.look_up(film)
        except ProviderError as error:
            log.warning("%s: %s", film.title, error)
            return error

    def close(self) -> None:
        """Ask no more and call back no more."""
        with self._changed:
            self._ending.set()
            self._waiting.clear()
            self._wanted.clear()
            self._changed.notify_all()
        ends = time.monotonic() + 0.5
        for thread in self._threads:  # one that waits for a server ends later, by itself
            if thread is not threading.current_thread():
                thread.join(timeout=max(ends - time.monotonic(), 0.0))
        for cache in {self._kept, self._keeping}:
            cache.close()
        self.provider.close()

    # --- in a thread -------------------------------------------------------------------------

    def _work(self) -> None:
        while film := self._next():
            details = None
            try:
                details = self.look_up(film)
                self._failures = 0
            except ProviderError as error:
                if not self._ending.is_set():
                    log.warning("%s: %s", film.title, error)
                    self._spare(film, error)
            except Exception:  # whatever it is, the page goes on without this picture
                if not self._ending.is_set():
                    log.exception("%s", film.title)
                    self._spare(film, ProviderError("a fault of movierec", "bad"))
            with self._changed:
                callers = self._wanted.pop(film, [])
            for movie_id, done in callers:
                if details is None or self._ending.is_set():
                    break
                try:
                    done(movie_id, details)
                except Exception:  # the page's fault, which must not keep others from pictures
                    log.exception("showing %s", film.title)

    def _next(self) -> Film | None:
        """The film that is wanted most; waits for it; None at the end."""
        with self._changed:
            while not self._ending.is_set():
                rest = self._resting - time.monotonic()
                if self._waiting and rest <= 0:
                    break
                self._changed.wait(rest if self._waiting else None)
            if self._ending.is_set():
                return None
            film = min(self._waiting, key=self._waiting.__getitem__)
            del self._waiting[film]
            return film

    def _spare(self, film: Film, error: ProviderError) -> None:
        """Leave a film alone for a while; or the provider, if it does not answer."""
        with self._changed:
            now = time.monotonic()
            match error.kind:
                case "bad":
                    self._spared[film] = now + SPARED
                case "silent":  # what else is wanted waits until the rest is over
                    self._resting = now + min(REST * 2**self._failures, LONGEST_REST)
                    self._failures += 1
                case "refused":
                    self._resting = math.inf
                    self._waiting.clear()
                    self._wanted.clear()

    def _keep(self, film: Film, details: Details | None, seconds: float) -> None:
        try:
            self._keeping.put(film, details, seconds)
        except sqlite3.Error as error:
            log.warning("an answer could not be kept: %s", error)


def _films(movies: pd.DataFrame) -> Iterator[tuple[int, Film]]:
    """Id and film of each row."""
    numbers = (
        movies[name].astype("Float64").to_numpy(float, na_value=math.nan).tolist()
        if name in movies
        else [math.nan] * len(movies)
        for name in ("year", "tmdb_id", "imdb_id")
    )
    for movie_id, title, *row in zip(movies["movie_id"], movies["title"], *numbers, strict=True):
        yield int(movie_id), Film(title, *(None if math.isnan(n) else int(n) for n in row))


# --- on the disk -----------------------------------------------------------------------------


@dataclass(frozen=True)
class _Kept:
    details: Details | None  # None: the provider has no such film


_SCHEMA = """
CREATE TABLE IF NOT EXISTS answers (
    provider TEXT, language TEXT, film TEXT, until REAL, found INTEGER,
    title TEXT, overview TEXT, poster BLOB,
    PRIMARY KEY (provider, language, film)
);
CREATE INDEX IF NOT EXISTS expiry ON answers (until);
CREATE TABLE IF NOT EXISTS turns (provider TEXT PRIMARY KEY, next REAL);
"""


class _Cache:
    """Answers of one provider in one language, with their expiry, and when its next turn is."""

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

    def get(self, film: Film) -> _Kept | None:
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
            return _Kept(None)
        title, overview = (text if isinstance(text, str) else None for text in texts)
        if not (isinstance(poster, bytes) and poster.startswith(JPEG)):
            poster = None  # not written here
        return _Kept(Details(title, overview, poster, self._label))

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


def _key(film: Film) -> str:
    """A film in any data set: its title has its year in it."""
    return "|".join(str(part or "") for part in (film.title, film.tmdb_id, film.imdb_id))


class _Pace:
    """A provider's pace, shared by all processes that use one cache."""

    def __init__(self, cache: _Cache, provider: Provider, ending: threading.Event) -> None:
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
