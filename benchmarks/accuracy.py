"""How good recipes are: on the splits that others report, for new people and for new films."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

import movierec
from benchmarks.measure import Row, run_python
from movierec.data.datasets import load_dataset
from movierec.data.tables import Tables
from movierec.evaluation.metrics import list_metrics, rating_metrics
from movierec.recommend.people import Person
from movierec.recommend.recommender import Recommender
from movierec.vectors import Rows

FOLDS = ("u1", "u2", "u3", "u4", "u5")  # of ML-100K
NEW_USERS = 604
GIVEN = (0, 1, 3, 5, 10, 20)  # ratings given; those after the first 20 are predicted
NEW_FILMS = 304
LEAST_RATINGS = 20  # of a film that is taken for new


def on_splits(
    data: str, path: str, recipes: Sequence[str], seeds: int, latest: bool, small: str
) -> Iterator[tuple[str, dict[str, Row]]]:
    """What `measured` finds on each split, by its name.

    Args:
        data, path: of the ratings.
        recipes: to train.
        seeds: of ninety-ten, from 0.
        latest: whether the temporal split is one.
        small: MovieLens-100K, for its official folds; empty: without them.
    """
    splits = {f"ninety-ten {n}": (data, path, "--holdout-seed", str(n)) for n in range(seeds)}
    if latest:
        splits["temporal"] = (data, path, "--holdout", "temporal")
    if small:
        splits |= {fold: ("ml-100k", small, "--holdout", fold) for fold in FOLDS}
    for name, (source, place, *options) in splits.items():
        yield name, measured(source, place, recipes, *options)


def measured(data: str, path: str, recipes: Sequence[str], *options: str) -> dict[str, Row]:
    """Train recipes with one holdout, each in a process, and evaluate them together.

    Returns:
        A row a recipe and a row a baseline of `evaluate`.
    """
    where = ("--data", data, *(("--from", path) if path else ()))
    with tempfile.TemporaryDirectory() as folder:
        runs = {recipe: Path(folder, recipe) for recipe in recipes}
        trained = {
            recipe: run_python(
                *("-m", "movierec", "train", *where, "--recipe", recipe, *options, "--json"),
                *("--run", run),
            )
            for recipe, run in runs.items()
        }
        named = [part for run in runs.values() for part in ("--run", run)]
        found = run_python("-m", "movierec", "evaluate", *named, "--json")
    rows = {}
    own = dict(zip(recipes, found.get("runs", [found]), strict=True))
    for method, summary in {**own, **found["baselines"]}.items():
        row = {name: summary[name] for name in ("rmse", "mae") if name in summary}
        ranking = summary.get("ranking", {})
        row |= {name: ranking[f"{name}@10"] for name in ("ndcg", "recall", "shown") if ranking}
        if stars_alone := summary.get("by_stars"):
            row["by_stars"] = stars_alone["ranking"]["ndcg@10"]
        for name, (low, high) in summary["intervals"].items():
            if name in ("rmse", "ndcg@10"):
                row |= {f"{name.removesuffix('@10')}_low": low}
                row |= {f"{name.removesuffix('@10')}_high": high}
        rows[method] = row
        if method in trained:
            rows[method] |= {key: trained[method][key] for key in ("whole", "peak")}
    return rows


def taught_all(tables: Tables, recipe: str) -> Recommender:
    """A recommender that learned from all ratings, read whole, since its folder goes."""
    with tempfile.TemporaryDirectory() as folder:
        run = movierec.train(tables, recipe, run_dir=Path(folder, "run"), holdout="none")
        _ = run.recommender.ratings, run.recommender.learned
        return run.recommender


def strangers(tables: Tables, recipe: str) -> tuple[npt.NDArray[np.int64], Recommender]:
    """The ids of the protocol's new users, and a recommender that has never seen them."""
    ids = np.random.default_rng(0).permutation(tables.users["user_id"].to_numpy())[:NEW_USERS]
    known = ~tables.ratings["user_id"].isin(ids).to_numpy()
    kept = tables.users[~tables.users["user_id"].isin(ids)]
    fewer = Tables(kept, tables.movies, tables.ratings[known], tables.name, tables.occupations)
    return ids, taught_all(fewer, recipe)


def new_users(tables: Tables, recipe: str) -> Iterator[tuple[str, Row]]:
    """The protocol's new users: wholly absent from training, served from k ratings.

    Args:
        tables: MovieLens-1M.
        recipe: how to train.

    Yields:
        For each k of `GIVEN`, without demographics and with them, its name, and `rmse`, `ndcg` and
        `milliseconds` (a person's list).
    """
    ids, rec = strangers(tables, recipe)
    people = tables.users.set_index("user_id")
    by_user = tables.ratings[tables.ratings["user_id"].isin(ids)].groupby("user_id")
    shuffled = []
    for user_id in ids:
        rows = by_user.get_group(user_id)
        if len(rows) > GIVEN[-1]:
            order = np.random.default_rng(user_id).permutation(len(rows))
            shuffled.append((user_id, rows.iloc[order]))
    for demographics, k in product((False, True), GIVEN):
        persons, began = [], pd.Timestamp.now()
        for user_id, rows in shuffled:
            told = people.loc[user_id, ["gender", "age", "occupation"]] if demographics else {}
            given = dict(zip(rows["movie_id"][:k], rows["rating"][:k], strict=True))
            persons.append(rec.new_user(given, **dict(told)))
        row = served(rec, persons, [rows.iloc[GIVEN[-1] :] for _, rows in shuffled])
        spent = (pd.Timestamp.now() - began).total_seconds()
        name = f"{k} given{', with gender, age and job' * demographics}"
        yield name, row | {"milliseconds": 1000 * spent / len(persons)}


def served(
    rec: Recommender,
    persons: list[Person],
    asked: list[pd.DataFrame],
    left_out: list[set[int]] | None = None,
) -> Row:
    """Errors on the rows asked for, and lists of ten against those liked, none `left_out`."""
    stars = [rec.predict(p, rows["movie_id"]) for p, rows in zip(persons, asked, strict=True)]
    rating = np.concatenate([rows["rating"] for rows in asked])
    lists, held_out = [], []
    for number, (person, rows) in enumerate(zip(persons, asked, strict=True)):
        among = None if left_out is None else rec.where(deny=sorted(left_out[number]))
        films = rec.for_user(person, k=10, among=among)["movie_id"]
        lists.append(rec.features.movies.encode(films))
        films = rec.features.movies.encode(rows["movie_id"])
        held_out.append((np.full(len(films), number), films, rows["rating"].to_numpy()))
    users, films, given = (np.concatenate(column) for column in zip(*held_out, strict=True))
    rows = Rows(users.astype(np.int32), films, given.astype(np.float32))
    likers = np.unique(rows.user_idx[rows.rating >= 4])
    ranking = list_metrics(np.array(lists, np.int64)[likers], likers, rows)
    errors = rating_metrics(rating, np.concatenate(stars))
    return {"rmse": errors["rmse"], "ndcg": float(ranking["ndcg@10"].mean())}


def new_films(tables: Tables, recipe: str) -> dict[str, Row]:
    """The protocol's new films: wholly absent from training, then added by title, year and genres.

    Returns:
        The RMSE of the recipe and of each user's mean.
    """
    ratings = tables.ratings
    counts = np.bincount(ratings["movie_id"])
    ids = np.random.default_rng(0).permutation(np.flatnonzero(counts >= LEAST_RATINGS))[:NEW_FILMS]
    new = ratings["movie_id"].isin(ids).to_numpy()
    missing = tables.movies["movie_id"].isin(ids)
    fewer = Tables(
        tables.users, tables.movies[~missing], ratings[~new], tables.name, tables.occupations
    )
    rec = taught_all(fewer, recipe).add_movies(tables.movies[missing])
    asked: Any = ratings[new]
    predicted = rec.predict(asked["user_id"], asked["movie_id"])
    means = ratings[~new].groupby("user_id")["rating"].mean()
    mean = means.reindex(asked["user_id"]).fillna(means.mean())
    lists = rec.for_users(tables.users["user_id"].tolist(), k=10)
    return {
        f"{recipe}, {len(asked):,} ratings": {
            **rating_metrics(asked["rating"], predicted),
            "listed": float(lists["movie_id"].isin(ids).mean()),
        },
        "mean of the user": rating_metrics(asked["rating"], mean),
    }


def newcomer_errors(data: str, path: str, recipe: str) -> Row:
    """The RMSE for new people of whom 0 and 5 ratings are given, and for new films."""
    tables = load_dataset(data, path or None)
    people = dict(new_users(tables, recipe))
    film, _ = new_films(tables, recipe).values()
    row = {f"given_{k}": people[f"{k} given"]["rmse"] for k in (0, 5)}
    return row | {"new_film": film["rmse"]}
