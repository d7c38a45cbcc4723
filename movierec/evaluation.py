"""How good a run is, on its held-out rows: rating error and ranking, beside simple baselines."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from movierec import baselines
from movierec.errors import InputError
from movierec.vectors import pair_scores, top_k

if TYPE_CHECKING:
    from movierec.runs import Run

LIKED = 4.0  # stars from which a held-out film counts as relevant
K = 10
BLOCK = 1024


def rating_metrics(rating: npt.ArrayLike, predicted: npt.ArrayLike) -> dict[str, float]:
    """Errors of predicted ratings.

    Args:
        rating: (n,) stars given.
        predicted: (n,) stars predicted.

    Returns:
        `mse` (stars squared), `rmse` and `mae` (stars).

    Raises:
        InputError: no rows, or lists of different lengths.
    """
    given = np.asarray(rating, dtype=np.float64)
    guess = np.asarray(predicted, dtype=np.float64)
    if not given.size or given.shape != guess.shape:
        raise InputError(
            f"got {given.size} ratings and {guess.size} predictions; expected as many of each, and "
            "at least one"
        )
    error = guess - given
    mse = float(np.mean(error**2))
    return {"mse": mse, "rmse": mse**0.5, "mae": float(np.mean(np.abs(error)))}


def ranking_metrics(
    score_users: Callable[[npt.NDArray[np.int32]], npt.NDArray[np.float32]],
    candidates: npt.NDArray[np.bool_],
    seen: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]],
    relevant: tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]],
    k: int = K,
) -> dict[str, float]:
    """How well lists of k films meet what users went on to like.

    Args:
        score_users: (n,) user rows to a score of every movie row, (n, movie rows).
        candidates: (movie rows,) whether a row is a film of the catalogue.
        seen: user and movie rows of the training ratings, which are no candidates.
        relevant: user and movie rows of the held-out likes.
        k: length of a list.

    Returns:
        Means over the users with a relevant film: `ndcg@k` (binary gain, ideal list cut at k) and
        `recall@k` (hits divided by the smaller of k and the relevant films); `shown@k`, how many
        different films the lists hold; `users`, how many users there were.

    Reference:
        Järvelin and Kekäläinen (2002), Cumulated gain-based evaluation of IR techniques.
    """
    users = np.unique(relevant[0])
    seen_by, liked_by = _grouped(*seen), _grouped(*relevant)
    discounts = 1 / np.log2(np.arange(2, k + 2))
    ndcg, recall = [], []
    shown = np.zeros(len(candidates), dtype=bool)
    for a in range(0, len(users), BLOCK):
        block = users[a : a + BLOCK]
        scores = np.where(candidates, score_users(block), -np.inf)
        for row, user in enumerate(block):
            scores[row, seen_by(user)] = -np.inf
        lists = top_k(scores, k)
        for films, user in zip(lists, block, strict=True):
            liked = liked_by(user)
            hits = np.isin(films, liked)
            ideal = min(k, len(liked))
            ndcg.append(discounts[: len(films)][hits].sum() / discounts[:ideal].sum())
            recall.append(hits.sum() / ideal)
        shown[lists[lists >= 0]] = True
    return {
        f"ndcg@{k}": float(np.mean(ndcg)),
        f"recall@{k}": float(np.mean(recall)),
        f"shown@{k}": int(shown.sum()),
        "users": len(users),
    }


def _grouped(
    keys: npt.NDArray[np.int32], values: npt.NDArray[np.int32]
) -> Callable[[int], npt.NDArray[np.int32]]:
    """A look-up from a key to its values."""
    order = np.argsort(keys, kind="stable")
    ordered, values = keys[order], values[order]
    return lambda key: values[slice(*np.searchsorted(ordered, [key, key + 1]))]


def evaluate(run: Run, part: str = "test") -> dict[str, Any]:
    """Measure a run on its held-out rows, with baselines fitted on the rows that it was given.

    These are all rows outside `part` and outside the test: for the test, those of the loop and
    those that chose the best state.

    Args:
        run: what to measure.
        part: "test", or "validation", which flatters the run: it has chosen the best state.

    Returns:
        `mse`, `rmse`, `mae`; `ranking` (see `ranking_metrics`; absent where no held-out film was
        liked); `baselines` by name, each with the same; `rows_trained`, `rows_tested`; `seconds`
        of the training, and of its other steps.

    Raises:
        InputError: the run held nothing out.
    """
    train = run.rows(*{"train", "validation"} - {part})
    test = run.rows(part)
    if not len(test.rating):
        raise InputError(
            f"{run.path} has no {part} rows, so it held no rows out to be evaluated on; train it "
            "with --holdout random, or ask `movierec predict` for rows of your own"
        )
    recommender = run.recommender
    users, movies = recommender.user_vectors, recommender.movie_vectors
    lowest, highest = recommender.lowest, recommender.highest

    def error_of(predicted: npt.NDArray) -> dict[str, float]:
        return rating_metrics(test.rating, np.clip(predicted, lowest, highest))

    relevant = test.rating >= LIKED
    liked = test.user_idx[relevant], test.movie_idx[relevant]
    seen = train.user_idx, train.movie_idx

    def ranking_of(score: Callable[[npt.NDArray[np.int32]], npt.NDArray]) -> dict[str, float]:
        return ranking_metrics(score, run.features.movies.ids >= 0, seen, liked)

    result: dict[str, Any] = error_of(pair_scores(users, movies, test.user_idx, test.movie_idx))
    others: dict[str, dict[str, Any]] = {
        name: error_of(fit(*train)(test.user_idx, test.movie_idx))
        for name, fit in baselines.RATING_BASELINES.items()
    }
    if relevant.any():
        result["ranking"] = ranking_of(lambda block: users[block] @ movies.T)
        counts = baselines.popularity(train.movie_idx, train.rating, len(movies), LIKED)
        others["most often liked"] = {
            "ranking": ranking_of(lambda block: np.tile(counts, (len(block), 1)))
        }
    return result | {
        "baselines": others,
        "rows_trained": run.info["rows"]["train"],
        "rows_tested": len(test.rating),
        **{f"{step}_seconds": seconds for step, seconds in run.seconds.items() if step != "train"},
        "seconds": run.seconds["train"],
    }
