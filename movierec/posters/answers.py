"""What a provider says of films: kept on disk, else asked for now."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

from movierec.errors import ProviderError
from movierec.logs import logger
from movierec.posters.cache import Cache, SharedPace
from movierec.posters.provider import Details, Film, Provider

DAY = 86_400.0  # seconds
KEPT = 90 * DAY  # an answer; TMDB allows no more than six months
KEPT_PARTLY = DAY  # an answer whose picture could not be had
KEPT_NOTHING = 3 * DAY  # that the provider has no such film

log = logger(__name__)


class Answers:
    """A provider's answers.

    Attributes:
        provider: who is asked.
        folder: where the answers are kept.
        ending: set when nobody waits any more; what waits for a turn then fails.
    """

    def __init__(self, provider: Provider, folder: Path) -> None:
        self.provider, self.folder = provider, folder
        self.ending = threading.Event()
        try:
            # two of them: what the page reads never waits for what a thread writes
            self._kept, self._keeping = Cache(folder, provider), Cache(folder, provider)
        except (OSError, sqlite3.Error) as error:
            log.warning("%s cannot be used (%s): answers are kept in memory", folder, error)
            self._kept = self._keeping = Cache(None, provider)
        self._pace = SharedPace(self._keeping, provider, self.ending)

    def known(self, film: Film) -> Details | None:
        """What is kept of a film; at once, and without the network."""
        try:
            kept = self._kept.get(film)
        except sqlite3.Error as error:
            log.warning("the cache cannot be read: %s", error)
            return None
        return kept.details if kept else None

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

    def close(self) -> None:
        """Let go of the disk and the network."""
        self.ending.set()
        for cache in {self._kept, self._keeping}:
            cache.close()
        self.provider.close()

    def _keep(self, film: Film, details: Details | None, seconds: float) -> None:
        try:
            self._keeping.put(film, details, seconds)
        except sqlite3.Error as error:
            log.warning("an answer could not be kept: %s", error)
