"""Many films looked up beforehand, so that a page knows them from the start."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from movierec.errors import InputError, ProviderError
from movierec.logs import logger
from movierec.posters.answers import Answers
from movierec.posters.metadata import THREADS
from movierec.posters.provider import Details, Film, films_of

if TYPE_CHECKING:
    import pandas as pd

GIVEN_UP = 5  # films without an answer, one after the other, that end it

log = logger(__name__)


def prefetch(
    answers: Answers,
    movies: pd.DataFrame,
    on_film: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, int]:
    """Look films up and wait for it.

    Args:
        answers: where they are kept; after a failure they can only be closed.
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
            return answers.look_up(film)
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
            answers.ending.set()  # those under way stop too
            pool.shutdown(cancel_futures=True)
            raise
    return dict(counts)
