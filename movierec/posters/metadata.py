"""Posters and titles of films for a page: those that are known at once; the others are asked for.

What a page asks for waits in a line, from which a few threads take the films that were wanted last;
the page looks again later. For a page there are `configured`, and of `Metadata` `known`, `ask`,
`close`, `attribution` and `language`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from movierec.logs import logger
from movierec.paths import data_dir
from movierec.posters.cache import Cache, Pace
from movierec.posters.films import Details, Film, ProviderError, films_of
from movierec.posters.settings import KEY_VARIABLE, settings

if TYPE_CHECKING:
    import pandas as pd

    from movierec.posters.tmdb import Tmdb

DAY = 86_400.0  # seconds
KEPT = 90 * DAY  # an answer; TMDB allows no more than six months
KEPT_PARTLY = DAY  # an answer whose picture could not be had
KEPT_NOTHING = 3 * DAY  # that the provider has no such film
SPARED = 600.0  # that its answer for a film was no good
REST = 10.0  # seconds without asking after one that does not answer; a turn is waited for longer
THREADS = 2
WAITING = 200  # films that wait to be asked for; of more, those that were wanted first are dropped

log = logger(__name__)


def configured(movies: pd.DataFrame) -> Metadata | None:
    """The metadata that the environment asks for; returns and raises as `settings`."""
    if (chosen := settings()) is None:
        return None
    from movierec.posters.tmdb import Tmdb  # here: a tenth of a second

    tmdb = Tmdb(key=os.environ[KEY_VARIABLE].strip(), language=chosen.language)
    if chosen.mirror:
        tmdb = replace(tmdb, api=chosen.mirror, images=chosen.mirror)
    return Metadata(tmdb, movies)


class Metadata:
    """Posters and titles of films; answers are kept in `metadata` of the data folder by default."""

    def __init__(self, provider: Tmdb, movies: pd.DataFrame, cache_dir: Path | None = None) -> None:
        self.provider = provider
        self.attribution, self.language = provider.attribution, provider.language
        self._films = dict(films_of(movies))
        self._ending = threading.Event()  # nobody waits any more
        self._cache = Cache(cache_dir or data_dir() / "metadata", provider)
        provider.pace = Pace(self._cache, provider, self._ending)
        self._changed = threading.Condition()  # guards what follows
        self._wanted: dict[Film, None] = {}  # the next one first
        self._under_way: set[Film] = set()
        self._threads: list[threading.Thread] = []

    def known(self, movie_id: int) -> Details | None:
        """What is kept of a film; at once, and without the network."""
        film = self._films.get(movie_id)
        kept = None if film is None else self._cache.get(film)
        return None if kept is None else kept.details

    def ask(self, movie_ids: Iterable[int]) -> None:
        """Ask for films, the first ones first and before all that was asked for earlier; at once.

        What comes of it, `known` tells later.
        """
        asked = dict.fromkeys(self._films[i] for i in movie_ids if i in self._films)
        with self._changed:
            if self._ending.is_set():
                return
            self._wanted = dict.fromkeys([*(asked | self._wanted)][:WAITING])
            self._changed.notify_all()
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
        try:
            details = self.provider.look_up(film)
        except ProviderError as error:
            if error.kind == "bad":
                self._cache.put(film, None, SPARED)
            raise
        seconds = KEPT_NOTHING if details is None else KEPT if details.whole else KEPT_PARTLY
        self._cache.put(film, details, seconds)
        return details

    def close(self) -> None:
        """Ask no more; let go of the disk and the network."""
        self._end()
        ends = time.monotonic() + 0.5
        for thread in self._threads:  # one that waits for a server ends later, by itself
            thread.join(timeout=max(ends - time.monotonic(), 0.0))
        self._cache.close()
        self.provider.close()

    def _end(self) -> None:
        with self._changed:
            self._ending.set()
            self._changed.notify_all()

    def _work(self) -> None:
        """What a thread does until the end."""
        while film := self._next():
            try:
                self.look_up(film)
            except ProviderError as error:
                if self._ending.is_set():
                    break
                if error.kind == "refused":
                    self._end()
                elif error.kind == "silent":  # all that waits would wait for nothing
                    self.provider.pace.rest(REST)
                    with self._changed:
                        self._wanted.clear()
                log.warning("%s: %s", film.title, error)
            except Exception:  # whatever it is, the page goes on without this picture
                log.exception("%s", film.title)
                self._cache.put(film, None, SPARED)
            with self._changed:
                self._under_way.discard(film)

    def _next(self) -> Film | None:
        """The film that is wanted most, waited for; None: the end."""
        with self._changed:
            while not self._ending.is_set():
                if not self._wanted:
                    self._changed.wait()
                    continue
                film = next(iter(self._wanted))
                del self._wanted[film]
                if film not in self._under_way:
                    self._under_way.add(film)
                    return film
            return None
