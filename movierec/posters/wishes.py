"""What pages ask for and have not got yet, and whom it is better not to ask now."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable

from movierec.errors import ProviderError
from movierec.posters.provider import Details, Film

WAITING = 200  # films that wait to be asked for; of more, those that were wanted first are dropped
ONE_WISH = 0.5  # seconds between two questions of one page
SPARED = 600.0  # seconds without asking again for a film whose answer was no good
REST = 10.0  # seconds without asking at all after a failure, doubled with each further one
LONGEST_REST = 600.0

Done = Callable[[int, Details], None]  # a film's id, and what came; from another thread


class Breaker:
    """Whom it is better not to ask now: a film with a bad answer, or a provider that has none."""

    def __init__(self) -> None:
        self._failures, self._until = 0, 0.0
        self._spared: dict[Film, float] = {}

    @property
    def rest(self) -> float:
        """Seconds without asking anything; `math.inf` for ever; not above 0: none."""
        return self._until - time.monotonic()

    def spares(self, film: Film) -> bool:
        """Whether the last answer for a film was no good, and not long ago."""
        return time.monotonic() < self._spared.get(film, 0.0)

    def answered(self) -> None:
        """Note that the provider answers."""
        self._failures = 0

    def failed(self, film: Film, error: ProviderError) -> None:
        """Leave a film alone for a while; or the provider, if it does not answer."""
        now = time.monotonic()
        match error.kind:
            case "bad":
                self._spared[film] = now + SPARED
            case "silent":
                self._until = now + min(REST * 2**self._failures, LONGEST_REST)
                self._failures += 1
            case "refused":
                self._until = math.inf


class Wishes:
    """Films in the order in which they are wanted, and by whom; for any number of threads.

    What the latest page wants comes first, in its order; what is asked for within `ONE_WISH`
    seconds is of one page.
    """

    def __init__(self) -> None:
        self.breaker = Breaker()
        self._changed = threading.Condition()  # guards everything here
        self._now: dict[Film, None] = {}  # the latest page's, the next one first
        self._earlier: dict[Film, None] = {}
        self._latest = -math.inf  # when the latest was asked for
        self._callers: dict[Film, list[tuple[int, Done]]] = {}
        self._ended = False

    def add(self, films: Iterable[tuple[int, Film]], done: Done) -> bool:
        """Want films, the first ones first.

        Returns:
            Whether anything waits now.
        """
        with self._changed:
            if self._ended or self.breaker.rest == math.inf:
                return False
            if time.monotonic() - self._latest > ONE_WISH:
                self._earlier = {**self._now, **self._earlier}
                self._now = {}
            self._latest = time.monotonic()
            for movie_id, film in films:
                if self.breaker.spares(film):
                    continue
                callers = self._callers.setdefault(film, [])
                if not callers or film in self._earlier:  # else it waits already or is asked for
                    self._earlier.pop(film, None)
                    self._now[film] = None
                if (movie_id, done) not in callers:  # a page asks again with every list
                    callers.append((movie_id, done))
            while len(self._now) + len(self._earlier) > WAITING:
                last, _ = (self._earlier or self._now).popitem()
                del self._callers[last]
            self._changed.notify_all()
            return bool(self._now or self._earlier)

    def next(self) -> Film | None:
        """The film that is wanted most; waits for it, and until asking is allowed; None: the end.

        Whoever takes it says what became of it by `got`.
        """
        with self._changed:
            while not self._ended:
                waiting, rest = self._now or self._earlier, self.breaker.rest
                if waiting and rest <= 0:
                    film = next(iter(waiting))
                    del waiting[film]
                    return film
                self._changed.wait(rest if waiting and rest < math.inf else None)
            return None

    def got(self, film: Film, error: ProviderError | None = None) -> list[tuple[int, Done]]:
        """Tell that there is an answer, or why there is none.

        Returns:
            Who wanted the film.
        """
        with self._changed:
            if error is None:
                self.breaker.answered()
            else:
                self.breaker.failed(film, error)
            callers = self._callers.pop(film, [])
            if self.breaker.rest == math.inf:
                self._forget()
            return callers

    def end(self) -> None:
        """Want nothing more."""
        with self._changed:
            self._ended = True
            self._forget()
            self._changed.notify_all()

    def _forget(self) -> None:
        for left in (self._now, self._earlier, self._callers):
            left.clear()
