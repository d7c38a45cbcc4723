"""Errors of another recommender as it trains: `python curve_peers.py METHOD ROWS.npz DRAWS`.

Stands alone, since some peers need an environment of their own (`make peers`). Prints one JSON
object: `points`, each the seconds since the process began and the RMSE on the test rows, which
choose nothing. What the measuring itself takes is not counted. Settings are defaults or those of
`peers.py` and of the project's protocol; none was chosen here.
"""

from __future__ import annotations

import time

STARTED = time.perf_counter()

import json  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402

Stars = npt.NDArray[Any]
Data = dict[str, npt.NDArray[Any]]  # user, movie, rating, their test_..., and what is known of both
Tell = Callable[[Callable[[], Stars]], None]  # gets what gives the test rows' predictions by now

RANK, BURN_IN = 32, 5  # of myFM: factors, and draws that are left out


def surprise(name: str, data: Data, tell: Tell) -> None:
    """SVD or SVD++ with their defaults."""
    import pandas as pd
    import surprise

    frame = pd.DataFrame({key: data[key] for key in ("user", "movie", "rating")})
    model = getattr(surprise, name)(random_state=0)
    reader = surprise.Reader(rating_scale=(data["rating"].min(), data["rating"].max()))
    model.fit(surprise.Dataset.load_from_df(frame, reader).build_full_trainset())
    pairs = list(zip(data["test_user"].tolist(), data["test_movie"].tolist(), strict=True))
    tell(lambda: np.array([model.predict(*pair).est for pair in pairs]))


def cornac_mf(data: Data, tell: Tell, **settings: Any) -> None:
    """Cornac's matrix factorization with biases."""
    from cornac.data import Dataset
    from cornac.models import MF

    triples = zip(*(data[key].tolist() for key in ("user", "movie", "rating")), strict=True)
    train = Dataset.from_uir(triples, seed=0)
    model = MF(seed=0, lambda_reg=0.05, **settings)
    model.fit(train)

    def predict() -> Stars:
        u = np.array([train.uid_map.get(user, -1) for user in data["test_user"].tolist()])
        i = np.array([train.iid_map.get(movie, -1) for movie in data["test_movie"].tolist()])
        told = (u >= 0) & (i >= 0)
        both = np.einsum("nk,nk->n", model.u_factors[u], model.i_factors[i]) * told
        bias = np.append(model.u_biases, 0)[u] + np.append(model.i_biases, 0)[i]
        return model.global_mean + bias + both

    tell(predict)


def lenskit_als(data: Data, tell: Tell) -> None:
    """LensKit's biased matrix factorization by alternating least squares, with its defaults."""
    import pandas as pd
    from lenskit.als import BiasedMFScorer
    from lenskit.data import from_interactions_df

    named = {"user_id": "user", "item_id": "movie", "rating": "rating"}
    model = BiasedMFScorer()
    model.train(from_interactions_df(pd.DataFrame({k: data[v] for k, v in named.items()})))

    def predict() -> Stars:
        u = model.users.numbers(data["test_user"], missing="negative")
        i = model.items.numbers(data["test_movie"], missing="negative")
        told = (u >= 0) & (i >= 0)
        both = np.einsum("nk,nk->n", model.user_embeddings[u], model.item_embeddings[i]) * told
        bias = np.append(model.bias.user_biases, 0)[u] + np.append(model.bias.item_biases, 0)[i]
        return model.bias.global_bias + bias + both

    tell(predict)


def myfm(data: Data, tell: Tell, draws: int) -> None:
    """The ordered probit of myFM by Gibbs sampling, with the side information that `best` has.

    The predictions are the mean of all draws so far, and are given after every tenth.
    """
    import scipy.sparse as sp
    from myfm import MyFMOrderedProbit, RelationBlock

    values, classes = np.unique(data["rating"], return_inverse=True)
    n, m = len(data["user_known"]), len(data["movie_known"])
    rated = sp.csr_matrix((np.ones(len(data["user"])), (data["user"], data["movie"])), (n, m))

    def block(rated: Any, known: Any) -> Any:
        count = np.maximum(np.asarray(rated.sum(axis=1)), 1)
        history = sp.diags(1 / np.sqrt(count.ravel())) @ rated
        return sp.hstack([sp.identity(rated.shape[0]), history, sp.csr_matrix(known)], "csr")

    blocks = {
        "user": block(rated, data["user_known"]),
        "movie": block(rated.T.tocsr(), data["movie_known"]),
    }
    given = [RelationBlock(data[key], table) for key, table in blocks.items()]
    asked = [RelationBlock(data[f"test_{key}"], table) for key, table in blocks.items()]
    shapes = [n, m, data["user_known"].shape[1], m, n, data["movie_known"].shape[1]]
    total = np.zeros((len(data["test_user"]), len(values)))
    nothing = sp.csr_matrix((len(total), 0))

    def keep(number: int, model: Any, *_: Any) -> tuple[bool, None]:
        nonlocal total
        if number >= BURN_IN:
            total += model.oprobit_predict_proba(nothing, asked, 0)
            if (number + 1) % 10 == 0:
                tell(lambda: total @ values / (number + 1 - BURN_IN))
        return False, None

    model = MyFMOrderedProbit(rank=RANK, random_seed=0)
    settings: dict[str, Any] = {"n_iter": draws, "n_kept_samples": 1, "callback": keep}
    model.fit(None, classes, X_rel=given, group_shapes=shapes, **settings)


METHODS: dict[str, Callable[[Data, Tell, int], None]] = {
    "Surprise SVD": lambda data, tell, draws: surprise("SVD", data, tell),
    "Surprise SVD++": lambda data, tell, draws: surprise("SVDpp", data, tell),
    "Cornac MF 50": lambda data, tell, draws: cornac_mf(
        data, tell, k=50, max_iter=40, learning_rate=0.01
    ),
    "Cornac MF 100": lambda data, tell, draws: cornac_mf(
        data, tell, k=100, max_iter=60, learning_rate=0.007
    ),
    "LensKit ALS": lambda data, tell, draws: lenskit_als(data, tell),
    "myFM": myfm,
}


def main(method: str, rows: str, draws: str) -> None:
    """Fit a method and print its points."""
    with np.load(rows) as stored:
        data = dict(stored)
    points: list[tuple[float, float]] = []
    measuring = 0.0

    def tell(predict: Callable[[], Stars]) -> None:
        nonlocal measuring
        now = time.perf_counter()
        stars = np.clip(predict(), data["rating"].min(), data["rating"].max())
        error = float(np.sqrt(np.mean((stars - data["test_rating"]) ** 2)))
        points.append((now - STARTED - measuring, error))
        measuring += time.perf_counter() - now

    METHODS[method](data, tell, int(draws))
    print(json.dumps({"points": points}))


if __name__ == "__main__":
    main(*sys.argv[1:])
