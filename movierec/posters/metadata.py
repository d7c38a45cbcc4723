"""Posters and titles of films for a page: those that are known at once, the others when they come.

What a page asks for waits in a line, from which a few threads take the films that were wanted last.
"""

from __future__ import annotations

import itertools
import math
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from movierec.errors import ProviderError
from movierec.logs import logger
from movierec.paths import data_dir
from movierec.posters.answers import Answers
from movierec.posters.provider import Details, Film, Provider, films_of
from movierec.posters.settings import settings

if TYPE_CHECKING:
    import pandas as pd

WAITING = 200  # films that wait to be asked for; of more, those that were wanted first are dropped
ONE_WISH = 0.5  # seconds between two questions of one page
THREADS = 2
SPARED = 600.0  # seconds without asking again for a film whose answer was no good
REST = 10.0  # seconds without asking at all after a failure, doubled with each further one
LONGEST_REST = 600.0

Done = Callable[[int, Details], None]  # a film's id, and what came; from another thread

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
        answers: who is asked, and what is kept.
        attribution: what a page that shows the answers has to say, as plain text.
        language: of the titles.
    """

    def __init__(
        self, provider: Provider, movies: pd.DataFrame, cache_dir: Path | None = None
    ) -> None:
        self.answers = Answers(provider, cache_dir or data_dir() / "metadata")
        self.attribution, self.language = provider.attribution, provider.language
        self._films = dict(films_of(movies))
        self._ending = self.answers.ending
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
        return None if film is None else self.answers.known(film)

    def ask(self, films: pd.DataFrame, done: Done) -> None:
        """Ask for films, the first ones first and before all that was asked for earlier.

        What is asked for within `ONE_WISH` seconds is of one page, and goes in its order.

        Args:
            films: with `movie_id`, `title` and `year`.
            done: called with a film's id and its details when they come, from another thread; never
                called for a film of which nothing comes.
        """
        asked = [(movie_id, self._films.get(movie_id, film)) for movie_id, film in films_of(films)]
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
        self.answers.close()

    # --- in a thread -------------------------------------------------------------------------

    def _work(self) -> None:
        while film := self._next():
            details = None
            try:
                details = self.answers.look_up(film)
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
