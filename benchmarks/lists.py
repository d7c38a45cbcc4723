"""Top 10 lists beside implicit: `python -m benchmarks.lists run DIR` or `... wide USERS FILMS`.

`run` takes the vectors of a run and gives them to implicit as its own; `wide` takes random vectors
of 200 entries. Prints one JSON object: for each method the milliseconds of one person's list and the
seconds of all users' lists, both as arrays of row numbers and scores.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from implicit.als import AlternatingLeastSquares
from threadpoolctl import threadpool_limits

from movierec.datasets import Tables
from movierec.features import Features
from movierec.recommend import Recommender
from movierec.runs import load_run

K = 10
LISTS = 300  # single lists of each method
ROUNDS = 3  # of all users' lists


def implicit_of(recommender: Recommender, threads: int) -> AlternatingLeastSquares:
    """An implicit model with a run's vectors; those that know what is watched stand beside them."""
    sides = [recommender.people, recommender.films]
    if recommender.watching is not None:
        pairs = zip(sides, (recommender.profiles, recommender.watched), strict=True)
        sides = [np.concatenate(pair, axis=1) for pair in pairs]
    model = AlternatingLeastSquares(sides[0].shape[1], num_threads=threads, use_gpu=False)
    model.user_factors, model.item_factors = (np.ascontiguousarray(side) for side in sides)
    return model


def of_run(folder: str) -> dict[str, dict[str, float]]:
    """Both methods, with one thread and with all cores, taking turns."""
    recommender = load_run(folder).recommender
    users = recommender.features.users.used
    ratings = recommender.tables.ratings
    place = (
        recommender.features.users.encode(ratings["user_id"]),
        recommender.features.movies.encode(ratings["movie_id"]),
    )
    shape = (len(recommender.features.users), len(recommender.features.movies))
    # what implicit leaves out: it knows no free rows, which movierec leaves out by itself
    rated = sp.csr_matrix((np.ones(len(ratings), np.float32), place), shape=shape)
    free = np.flatnonzero(recommender.features.movies.ids < 0)
    asked, all_rated = rated[users], [rated[user] for user in users]
    results = {}
    for name, threads in (("one thread", 1), ("all cores", 0)):
        model = implicit_of(recommender, threads)
        model.item_factors[free] = 0  # they are never recommended where scores are positive

        def peer_one(i: int, model: Any = model) -> Any:
            rows = all_rated[i % len(users)]
            return model.recommend(users[i % len(users)], rows, K, filter_already_liked_items=True)

        def peer_all(model: Any = model) -> Any:
            return model.recommend(users, asked, K, filter_already_liked_items=True)

        ours = {
            "movierec": (
                lambda i: recommender.top(users[[i % len(users)]], K),
                lambda: recommender.top(users, K),
            ),
            "movierec, tables": (
                lambda i: recommender.for_user(int(users_ids[i % len(users)]), K),
                lambda: recommender.for_users(users_ids, K),
            ),
        }
        users_ids = recommender.features.users.decode(users)
        peers = {"implicit": (peer_one, peer_all)}
        # implicit has threads of its own, and asks that NumPy's products have one each
        methods = {
            method: tuple(_limited(call, 1 if method == "implicit" else threads) for call in calls)
            for method, calls in (peers | ours).items()
        }
        for method, row in _measured(methods).items():
            results[f"{method}, {name}"] = row
        if recommender.watching is None:
            found = peer_all()[0]
            same = float(np.mean(found == recommender.top(users, K)[0]))
            results[f"movierec, {name}"]["same"] = same
    return results


def wide(users: int, films: int) -> dict[str, dict[str, float]]:
    """All users' lists from random vectors, and single ones, with ten ratings a user."""
    rng = np.random.default_rng(0)
    user_ids, movie_ids = np.arange(1, users + 1), np.arange(1, films + 1)
    rated = pd.DataFrame({"user_id": np.repeat(user_ids, 10)})
    rated["movie_id"] = rng.integers(1, films + 1, len(rated))
    ratings = rated.drop_duplicates().assign(rating=np.float32(4), timestamp=0)
    tables = Tables(
        users=pd.DataFrame({"user_id": user_ids}),
        movies=pd.DataFrame({"movie_id": movie_ids, "title": "A", "genres": "Drama"}).assign(
            year=pd.array([2000] * films, dtype="Int64")
        ),
        ratings=ratings,
    )
    vectors = (rng.standard_normal((rows + 1, 200), np.float32) for rows in (users, films))
    recommender = Recommender(tables, Features.fit(tables), *vectors)
    recommender.top(user_ids[:1], K)
    singles = [_timed(lambda i=i: recommender.top(user_ids[i : i + 1], K)) for i in range(LISTS)]
    whole = _timed(lambda: recommender.top(user_ids, K))
    return {"movierec": {"one": 1000 * median(singles), "all": whole}}


def _limited(call: Callable[..., Any], threads: int) -> tuple[Callable[..., Any], int]:
    return call, threads


def _measured(methods: dict[str, Any]) -> dict[str, dict[str, float]]:
    """Medians of each method's calls, which take turns; the limit of threads is set outside them."""
    singles: dict[str, list[float]] = {name: [] for name in methods}
    wholes: dict[str, list[float]] = {name: [] for name in methods}
    for start in range(0, LISTS, 50):
        for name, ((one, threads), _) in methods.items():
            with threadpool_limits(threads or None):
                one(0)
                singles[name] += [_timed(lambda i=i: one(i)) for i in range(start, start + 50)]
    for _ in range(ROUNDS):
        for name, (_, (every, threads)) in methods.items():
            with threadpool_limits(threads or None):
                wholes[name].append(_timed(every))
    return {
        name: {"one": 1000 * median(singles[name]), "all": median(wholes[name])} for name in methods
    }


def _timed(call: Callable[[], Any]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    kind, *given = sys.argv[1:]
    print(json.dumps(of_run(*given) if kind == "run" else wide(*map(int, given))))
