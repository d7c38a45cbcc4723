"""Posters and titles of films for a page: those that are known at once; the others are asked for.

What a page asks for waits in a line, from which a few threads take the films that were wanted last;
the page looks again later.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from movierec.errors import InputError, needs
from movierec.logs import logger
from movierec.paths import data_dir
from movierec.posters.cache import Cache
from movierec.posters.films import NOTHING, Details, Film, ProviderError, films_of

if TYPE_CHECKING:
    import pandas as pd

    from movierec.posters.tmdb import Tmdb

KEY_VARIABLE = "TMDB_TOKEN"
# a key is sent there: in the clear on this machine alone
MIRROR = re.compile(r"https://[\w.-]+(:\d+)?|http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
KEPT = 90 * 86_400.0  # seconds that an answer is kept; TMDB allows no more than six months
AGAIN = 3_600.0  # seconds until a film without a picture is asked for again
REST = 10.0  # seconds without asking after one that does not answer; a turn is waited for longer
THREADS = 2
WAITING = 200  # films that wait to be asked for; of more, those that were wanted first are dropped

log = logger(__name__)


def provider() -> Tmdb | None:
    """Whom the environment says to ask: TMDB, if `$TMDB_TOKEN` has a key; None without one.

    `$MOVIEREC_LANGUAGE` is the language, and `$MOVIEREC_TMDB_MIRROR` an address that passes TMDB's
    API and pictures on.

    Raises:
        InputError: what is no key, no language, or no address; the extra `posters` is missing.
    """
    if not (key := os.environ.get(KEY_VARIABLE, "").strip()):
        return None
    if not re.fullmatch(r"[A-Za-z0-9._~+/=-]+", key):
        raise InputError(f"{KEY_VARIABLE} has characters that no key has; copy it from TMDB again")
    language = os.environ.get("MOVIEREC_LANGUAGE") or "en-US"
    if not re.fullmatch(r"[a-z]{2}(-[A-Z]{2})?", language):
        raise InputError(f"MOVIEREC_LANGUAGE is {language!r}; expected such as en-US or zh-CN")
    mirror = os.environ.get("MOVIEREC_TMDB_MIRROR", "").rstrip("/")
    if mirror and not MIRROR.fullmatch(mirror):
        raise InputError(
            f"MOVIEREC_TMDB_MIRROR is {mirror!r}; expected an address such as https://example.org"
        )
    with needs("posters", KEY_VARIABLE):
        from movierec.posters.tmdb import Tmdb  # here: a tenth of a second
    return Tmdb(key=key, language=language, mirror=mirror)


class Metadata:
    """Posters and titles of films; answers are kept in `metadata` of the data folder by default."""

    def __init__(self, provider: Tmdb, movies: pd.DataFrame, cache_dir: Path | None = None) -> None:
        self.provider = provider
        self.attribution, self.language = provider.attribution, provider.language
        self._films = dict(films_of(movies))
        provider.cache = self._cache = Cache(cache_dir or data_dir() / "metadata", provider)
        self._changed = threading.Condition()  # guards what follows
        self._wanted: dict[Film, None] = {}  # the next one first
        self._under_way: set[Film] = set()
        self._threads: list[threading.Thread] = []

    def known(self, movie_id: int) -> Details | None:
        """What is kept of a film, `NOTHING` if it is that nobody knows it; at once."""
        return self._cache.get(self._films[movie_id]) if movie_id in self._films else None

    def ask(self, movie_ids: Iterable[int]) -> None:
        """Ask for films, the first ones first and before all that was asked for earlier; at once.

        What comes of it, `known` tells later.
        """
        asked = dict.fromkeys(self._films[i] for i in movie_ids if i in self._films)
        with self._changed:
            if self._cache.ending.is_set():
                return
            self._wanted = dict.fromkeys([*(asked | self._wanted)][:WAITING])
            self._changed.notify_all()
            while len(self._threads) < THREADS:
                thread = threading.Thread(target=self._work, name="metadata", daemon=True)
                self._threads.append(thread)
                thread.start()

    def look_up(self, film: Film) -> Details:
        """What is kept of a film, else what the provider says now, which is kept.

        Raises:
            ProviderError: it says nothing, or nothing that can be used.
        """
        if kept := self._cache.get(film):
            return kept
        told = self.provider.look_up(film)
        self._cache.put(film, told, KEPT if told.poster else AGAIN)
        return told

    def close(self) -> None:
        """Ask no more; let go of the disk and the network."""
        self._end()
        for thread in self._threads:  # one that waits for a server ends later, by itself
            thread.join(0.25)
        self._cache.close()
        self.provider.close()

    def _end(self) -> None:
        with self._changed:
            self._cache.ending.set()
            self._changed.notify_all()

    def _work(self) -> None:
        """What a thread does until the end."""
        while film := self._next():
            try:
                self.look_up(film)
            except ProviderError as error:
                if self._cache.ending.is_set():
                    break
                if error.kind == "refused":
                    self._end()
                elif error.kind == "silent":  # all that waits would wait for nothing
                    self._cache.rest(REST)
                    with self._changed:
                        self._wanted.clear()
                else:
                    self._cache.put(film, NOTHING, AGAIN)
                log.warning("%s: %s", film.title, error)
            except Exception:  # whatever it is, the page goes on without this picture
                log.exception("%s", film.title)
                self._cache.put(film, NOTHING, AGAIN)
            with self._changed:
                self._under_way.discard(film)

    def _next(self) -> Film | None:
        """The film that is wanted most, waited for; None: the end."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._wanted or self._cache.ending.is_set())
                if self._cache.ending.is_set():
                    return None
                film = next(iter(self._wanted))
                del self._wanted[film]
                if film not in self._under_way:
                    self._under_way.add(film)
                    return film
