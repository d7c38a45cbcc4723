"""Lists of ten films beside implicit: `python -m benchmarks.lists run DIR | wide USERS FILMS`.

`run` gives the vectors of a run to implicit as its own; `wide` takes random vectors.
Prints one JSON object: for each method the milliseconds of one person's list (`one`) and the
seconds of all users' lists (`all`), films that they have rated left out.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp

from movierec.data.features import Features
from movierec.data.tables import Tables
from movierec.models.certainty import Certainty
from movierec.models.model import Model
from movierec.models.newcomers import Newcomers
from movierec.models.watching import Watching
from movierec.recommend.catalogue import Catalogue
from movierec.recommend.recommender import Recommender
from movierec.recommend.scorer import Scorer
from movierec.runs import load_run
from movierec.vectors import top_lists

K = 10
SINGLES = 300  # lists of one person, a method
TURN = 50  # of them in a row, since a change of threads costs the next call
WHOLES = 3  # lists of all users, a method
Results = dict[str, dict[str, float]]


class Method(NamedTuple):
    """How a method makes the list of the i-th user and those of all, and with how many threads."""

    one: Callable[[int], Any]
    every: Callable[[], Any]
    threads: int | None = None  # of NumPy's products; None: all cores


def of_run(folder: str) -> Results:
    """Both, on one core and on all, taking turns; movierec as arrays, as implicit, and as tables.

    implicit gets both halves' vectors side by side: as much to multiply, another order.
    """
    recommender = load_run(folder).recommender
    users = recommender.features.users.used
    user_ids = recommender.features.users.decode(users)
    ratings = recommender.tables.ratings
    place = (
        recommender.features.users.encode(ratings["user_id"]),
        recommender.features.movies.encode(ratings["movie_id"]),
    )
    shape = (len(recommender.features.users), len(recommender.features.movies))
    rated = sp.csr_matrix((np.ones(len(ratings), np.float32), place), shape=shape)
    each, every = [rated[user] for user in users], rated[users]
    methods = {}
    for name, threads in (("one core", 1), ("all cores", None)):
        peer = _implicit(recommender, threads or 0)

        def peer_one(i: int, peer: Any = peer) -> Any:
            return peer.recommend(users[i], each[i], K, filter_already_liked_items=True)

        def peer_every(peer: Any = peer) -> Any:
            return peer.recommend(users, every, K, filter_already_liked_items=True)

        # it has threads of its own, and asks that NumPy's products have one
        methods[f"implicit, {name}"] = Method(peer_one, peer_every, 1)
        methods[f"movierec, {name}"] = Method(
            lambda i: recommender.top(users[i : i + 1], K),
            lambda: recommender.top(users, K),
            threads,
        )
        methods[f"movierec as tables, {name}"] = Method(
            lambda i: recommender.for_user(int(user_ids[i]), K),
            lambda: recommender.for_users(user_ids.tolist(), K),
            threads,
        )
    results = _measured(methods)
    return results


def wide(users: int, films: int) -> Results:
    """Random vectors, ten ratings a user: one person's list and all users', exactly."""
    rng = np.random.default_rng(0)
    user_ids, movie_ids = np.arange(1, users + 1), np.arange(1, films + 1)
    pairs = pd.DataFrame({"user_id": np.repeat(user_ids, 10)})
    pairs["movie_id"] = rng.integers(1, films + 1, len(pairs))
    movies = pd.DataFrame({"movie_id": movie_ids, "title": "A", "genres": "Drama"})
    tables = Tables(
        users=pd.DataFrame({"user_id": user_ids}),
        movies=movies.assign(year=pd.array([2000] * films, dtype="Int64")),
        ratings=pairs.drop_duplicates().assign(rating=np.float32(4), timestamp=0),
    )
    catalogue = Catalogue(tables, Features.fit(tables))
    user, movie = (rng.standard_normal((rows + 1, 100), np.float32) for rows in (users, films))
    nothing = np.zeros(0, np.float32)
    watching = Watching(user, movie, nothing, nothing, nothing.astype(np.int32), nothing)
    model = Model(user, movie, watching, Newcomers(*[nothing] * 8), Certainty(*[nothing] * 8))
    scorer = Scorer(model, catalogue.is_film, 1.0, 5.0)

    def top(rows: np.ndarray) -> None:
        top_lists(scorer.scores, rows, catalogue.is_film, lambda user: catalogue.seen(user)[0], K)

    top(user_ids[:1])  # groups the ratings by user
    ones = [_timed(lambda i=i: top(user_ids[i : i + 1])) for i in range(SINGLES)]
    return {"movierec": {"one": 1000 * median(ones), "all": _timed(lambda: top(user_ids))}}


def _implicit(recommender: Recommender, threads: int) -> Any:
    """An implicit model that has the vectors; what is watched stands beside them."""
    from implicit.als import AlternatingLeastSquares

    halves = recommender.model
    sides = [
        np.concatenate([halves.users, halves.watching.profiles], axis=1),
        np.concatenate([halves.films, halves.watching.watched], axis=1),
    ]
    model = AlternatingLeastSquares(sides[0].shape[1], num_threads=threads, use_gpu=False)
    model.user_factors, model.item_factors = (np.ascontiguousarray(side) for side in sides)
    # it knows of no rows that are no films: with zeros they lie behind all that score above 0
    model.item_factors[recommender.features.movies.ids < 0] = 0
    return model


def _measured(methods: dict[str, Method]) -> Results:
    """The median of each method's calls."""
    from threadpoolctl import threadpool_limits

    ones: dict[str, list[float]] = {name: [] for name in methods}
    every: dict[str, list[float]] = {name: [] for name in methods}
    for start in range(0, SINGLES, TURN):
        for name, method in methods.items():
            with threadpool_limits(method.threads):
                method.one(0)
                ones[name] += [_timed(method.one, i) for i in range(start, start + TURN)]
    for _ in range(WHOLES):
        for name, method in methods.items():
            with threadpool_limits(method.threads):
                every[name].append(_timed(method.every))
    return {
        name: {"one": 1000 * median(ones[name]), "all": median(every[name])} for name in methods
    }


def _timed(call: Callable[..., Any], *given: int) -> float:
    began = time.perf_counter()
    call(*given)
    return time.perf_counter() - began


if __name__ == "__main__":
    kind, *given = sys.argv[1:]
    print(json.dumps(of_run(*given) if kind == "run" else wide(*map(int, given))))
