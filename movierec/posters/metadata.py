"""Posters and titles of films for a page: those that are known at once, the others when they come.

What a page asks for waits in a line, from which a few threads take the films that were wanted last.
For a page there are `configured`, and of `Metadata` `known`, `ask`, `close`, `attribution` and
`language`; for whoever can wait, `look_up` and `prefetch`.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from movierec.errors import InputError, ProviderError
from movierec.logs import logger
from movierec.paths import data_dir
from movierec.posters.cache import Cache, Pace
from movierec.posters.provider import Details, Film, Provider, films_of
from movierec.posters.settings import settings
from movierec.posters.wishes import Done, Wishes

if TYPE_CHECKING:
    import pandas as pd

DAY = 86_400.0  # seconds
KEPT = 90 * DAY  # an answer; TMDB allows no more than six months
KEPT_PARTLY = DAY  # an answer whose picture could not be had
KEPT_NOTHING = 3 * DAY  # that the provider has no such film
THREADS = 2
GIVEN_UP = 5  # films without an answer, one after the other, that end a prefetch

log = logger(__name__)


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
    from movierec.posters.douban import Douban  # here: a tenth of a second
    from movierec.posters.tmdb import Tmdb

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
        folder: where its answers are kept.
        attribution: what a page that shows the answers has to say, as plain text.
        language: of the titles.
        ending: set when nobody waits any more; what waits for a turn then fails.
    """

    def __init__(
        self, provider: Provider, movies: pd.DataFrame, cache_dir: Path | None = None
    ) -> None:
        self.provider, self.folder = provider, cache_dir or data_dir() / "metadata"
        self.attribution, self.language = provider.attribution, provider.language
        self.ending = threading.Event()
        self._films = dict(films_of(movies))
        self._cache = Cache(self.folder, provider)
        self._pace = Pace(self._cache, provider.interval, self.ending)
        self._wishes = Wishes()
        self._threads: list[threading.Thread] = []
        self._starting = threading.Lock()

    def known(self, movie_id: int) -> Details | None:
        """What is kept of a film; at once, and without the network."""
        film = self._films.get(movie_id)
        kept = None if film is None else self._cache.get(film)
        return None if kept is None else kept.details

    def ask(self, films: pd.DataFrame, done: Done) -> None:
        """Ask for films, the first ones first and before all that was asked for earlier; at once.

        Args:
            films: with `movie_id`, `title` and `year`.
            done: called with a film's id and its details when they come, from another thread; never
                called for a film of which nothing comes.
        """
        asked = [
            (movie_id, self._films.setdefault(movie_id, one)) for movie_id, one in films_of(films)
        ]
        if not self._wishes.add(asked, done):
            return
        with self._starting:
            while len(self._threads) < THREADS:
                thread = threading.Thread(target=self._work, name="metadata", daemon=True)
                self._threads.append(thread)
                thread.start()

    def look_up(self, film: Film) -> Details | None:
        """What is kept of a film, else what the provider says now, which is kept.

        Raises:
            ProviderError: it says nothing, or nothing that can be used.
        """
        if kept := self._cache.get(film):
            return kept.details
        found = self.provider.look_up(film, self._pace)
        if found is None:
            self._cache.put(film, None, KEPT_NOTHING)
            return None
        poster, seconds = None, KEPT
        if found.poster_url:
            try:
                poster = self.provider.poster(found.poster_url, self._pace)
            except ProviderError as error:
                log.warning("poster of %s: %s", film.title, error)
                seconds = KEPT_PARTLY
        details = Details(found.title, found.overview, poster, self.provider.label)
        self._cache.put(film, details, seconds)
        return details

    def close(self) -> None:
        """Ask no more and call back no more; let go of the disk and the network."""
        self.ending.set()
        self._wishes.end()
        ends = time.monotonic() + 0.5
        for thread in self._threads:  # one that waits for a server ends later, by itself
            if thread is not threading.current_thread():
                thread.join(timeout=max(ends - time.monotonic(), 0.0))
        self._cache.close()
        self.provider.close()

    def _work(self) -> None:
        """What a thread does until the end."""
        while film := self._wishes.next():
            details, failure = None, None
            try:
                details = self.look_up(film)
            except ProviderError as error:
                failure = error
                if not self.ending.is_set():
                    log.warning("%s: %s", film.title, error)
            except Exception:  # whatever it is, the page goes on without this picture
                failure = ProviderError("a fault of movierec", "bad")
                if not self.ending.is_set():
                    log.exception("%s", film.title)
            for movie_id, done in self._wishes.got(film, failure):
                if details is None or self.ending.is_set():
                    break
                try:
                    done(movie_id, details)
                except Exception:  # the page's fault, which must not keep others from pictures
                    log.exception("showing %s", film.title)


def prefetch(
    metadata: Metadata,
    movies: pd.DataFrame,
    on_film: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """Look many films up and wait for it, so that a page knows them from the start.

    Args:
        metadata: who is asked; after a failure it can only be closed.
        movies: the films, first ones first.
        on_film: called with the number of films done and of all.

    Returns:
        How many `films` there were, how many of them were `found`, with how many `posters`, and
        how many `failed`.

    Raises:
        InputError: the provider refuses the key, or fails for `GIVEN_UP` films on end; what came
            before is kept.
    """
    counts: Counter[str] = Counter(films=len(movies), found=0, posters=0, failed=0)
    on_end = 0

    def outcome_of(film: Film) -> Details | ProviderError | None:
        try:
            return metadata.look_up(film)
        except ProviderError as error:
            log.warning("%s: %s", film.title, error)
            return error

    with ThreadPoolExecutor(THREADS, "metadata") as pool:
        try:
            outcomes = pool.map(outcome_of, (film for _, film in films_of(movies)))
            for number, outcome in enumerate(outcomes, start=1):
                if isinstance(outcome, ProviderError):
                    counts["failed"] += 1
                    on_end += 1
                    if outcome.kind == "refused":
                        raise InputError(f"{outcome}; set a valid one") from outcome
                    if outcome.kind == "silent" and on_end >= GIVEN_UP:
                        raise InputError(
                            f"{outcome}, for {GIVEN_UP} films on end; try again later: what has "
                            "come is kept"
                        ) from outcome
                else:
                    on_end = 0
                    counts["found"] += outcome is not None
                    counts["posters"] += bool(outcome and outcome.poster)
                on_film(number, len(movies))
        except BaseException:
            metadata.ending.set()  # those under way stop too
            pool.shutdown(cancel_futures=True)
            raise
    return dict(counts)
