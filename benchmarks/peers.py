"""One fit of another recommender, in a process of its own: `python -m benchmarks.peers NAME`.

Prints one JSON object: seconds to import, load and fit, and errors on the held-out rows. The
settings are the defaults or those of the project's protocol; none was chosen here.
"""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402

import numpy as np  # noqa: E402

from movierec.data.datasets import load_dataset  # noqa: E402
from movierec.data.splits import split  # noqa: E402
from movierec.evaluation.metrics import rating_metrics  # noqa: E402

Triples = tuple[np.ndarray, np.ndarray, np.ndarray]  # user ids, movie ids, stars
Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]


def surprise_svd(train: Triples) -> tuple[Callable[[], None], Predict]:
    """Surprise's SVD with its defaults: 100 factors, 20 passes."""
    import pandas as pd
    from surprise import SVD, Dataset, Reader

    frame = pd.DataFrame(dict(zip(("user", "item", "rating"), train, strict=True)))
    model = SVD(random_state=0)

    def fit() -> None:
        model.fit(Dataset.load_from_df(frame, Reader(rating_scale=(1, 5))).build_full_trainset())

    def predict(users: np.ndarray, movies: np.ndarray) -> np.ndarray:
        pairs = zip(users.tolist(), movies.tolist(), strict=True)
        return np.array([model.predict(user, movie).est for user, movie in pairs])

    return fit, predict


def cornac_mf(
    train: Triples, k: int, max_iter: int, learning_rate: float, lambda_reg: float
) -> tuple[Callable[[], None], Predict]:
    """Cornac's matrix factorization with biases."""
    from cornac.data import Dataset
    from cornac.models import MF

    model = MF(k=k, max_iter=max_iter, learning_rate=learning_rate, lambda_reg=lambda_reg, seed=0)
    data: dict[str, Dataset] = {}

    def fit() -> None:
        triples = zip(*(column.tolist() for column in train), strict=True)
        data["train"] = Dataset.from_uir(triples, seed=0)
        model.fit(data["train"])

    def predict(users: np.ndarray, movies: np.ndarray) -> np.ndarray:
        user_row, movie_row = data["train"].uid_map, data["train"].iid_map
        u = np.array([user_row.get(user, -1) for user in users.tolist()])
        i = np.array([movie_row.get(movie, -1) for movie in movies.tolist()])
        # an id without training ratings has neither bias nor factors
        bias = np.append(model.u_biases, 0)[u] + np.append(model.i_biases, 0)[i]
        zero = np.zeros((1, k), dtype=model.u_factors.dtype)
        left, right = np.vstack([model.u_factors, zero])[u], np.vstack([model.i_factors, zero])[i]
        return model.global_mean + bias + np.einsum("nk,nk->n", left, right)

    return fit, predict


PEERS: dict[str, Callable[[Triples], tuple[Callable[[], None], Predict]]] = {
    "Surprise SVD": surprise_svd,
    "Cornac MF 50": lambda train: cornac_mf(train, 50, 40, 0.01, 0.05),
    "Cornac MF 100": lambda train: cornac_mf(train, 100, 60, 0.007, 0.05),
}


def main(name: str, data: str, path: str | None, holdout: str) -> None:
    """Fit a peer on a data set's training rows and print what it took."""
    ratings = load_dataset(data, path).ratings
    columns = [ratings[key].to_numpy() for key in ("user_id", "movie_id", "rating")]
    train_rows, test_rows = split(ratings, holdout)
    train: Triples = tuple(column[train_rows] for column in columns)
    users, movies, stars = (column[test_rows] for column in columns)
    loaded = time.perf_counter()
    fit, predict = PEERS[name](train)
    imported = time.perf_counter()
    fit()
    fitted = time.perf_counter()
    errors = rating_metrics(
        stars, np.clip(predict(users, movies), *np.percentile(train[2], (0, 100)))
    )
    seconds = {"load": loaded - STARTED, "start": imported - loaded, "fit": fitted - imported}
    print(json.dumps(seconds | errors))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3] or None, sys.argv[4])
