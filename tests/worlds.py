"""Builders of small worlds and runs that several test files share, and where the real data lies."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from movierec.data.attributes import movie_attributes, user_attributes
from movierec.data.features import Features
from movierec.data.tables import Tables
from movierec.models.certainty import Certainty
from movierec.models.model import Model
from movierec.models.newcomers import SIZES, Newcomers
from movierec.models.recipe import Job, Recipe, Trained
from movierec.models.watching import POPULAR, Watching
from movierec.runs import PARTS, Run, write_run

PROJECT = Path(__file__).resolve().parents[1]


def write_ml1m(tables: Tables, folder: Path) -> None:
    """Write whole stars and demographics as MovieLens-1M publishes them."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = tables.ratings.astype({"rating": "int8"})
    columns = ["user_id", "movie_id", "rating", "timestamp"]
    for name, frame in {
        "users.dat": tables.users[["user_id", "gender", "age", "occupation", "zip"]],
        "movies.dat": tables.movies[["movie_id", "title", "genres"]],
        "ratings.dat": whole[columns],
    }.items():
        lines = ("::".join(map(str, row)) + "\n" for row in frame.itertuples(index=False))
        (folder / name).write_text("".join(lines), encoding="latin-1", newline="\n")


def drawn_tables(ids_from: int | None = None) -> Tables:
    """People and films whose ids leave gaps; the last of each stand in no rating.

    A person's id is three times their row, a film's id its row, unless `ids_from` says where both
    begin.
    """
    rng = np.random.default_rng(5)
    people, films = 30, 24
    words = ["Red", "Sea", "Hill", "Red Sea", "Sea of the Sea", "The Long Road", "Hill Road"]
    genres = ["Drama", "Comedy|Drama", "(no genres listed)", "War", "Action|Comedy|War"]
    years = [None if film == 7 else 1930 + 3 * film for film in range(films)]
    pairs = np.argwhere(rng.random((people - 1, films - 1)) < np.linspace(0.2, 0.9, films - 1))
    pairs = rng.permutation(pairs)
    user_ids, movie_ids = 3 * np.arange(1, people + 1), 2 * np.arange(1, films + 1)
    if ids_from is not None:
        user_ids, movie_ids = user_ids - 3 + ids_from, movie_ids - 2 + ids_from
    return Tables(
        users=pd.DataFrame(
            {
                "user_id": user_ids,
                "gender": rng.choice(["F", "M"], people),
                "age": rng.choice([1, 17, 18, 25, 40, 47, 53, 56, 80], people),
                "occupation": rng.integers(0, 4, people),
                "zip": "0",
            }
        ),
        movies=pd.DataFrame(
            {
                "movie_id": movie_ids,
                "title": [f"{words[f % 7]} {f} ({years[f] or 1999})" for f in range(films)],
                "genres": [genres[film % 5] for film in range(films)],
                "year": pd.array(years, dtype="Int64"),
            }
        ),
        ratings=pd.DataFrame(
            {
                "user_id": user_ids[pairs[:, 0]],
                "movie_id": movie_ids[pairs[:, 1]],
                "rating": rng.integers(1, 6, len(pairs)).astype(np.float32),
                "timestamp": np.arange(len(pairs)),
            }
        ),
        name="drawn",
        occupations=("artist", "baker", "clerk", "doctor"),
    )


def drawn_model(features: Features, seed: int = 0, d: int = 3, r: int = 4, k: int = 2) -> Model:
    """Both halves and what newcomers come from, drawn: nothing is trained."""
    rng = np.random.default_rng(seed)
    users, movies = len(features.users), len(features.movies)
    people, traits = (each(features).shape[1] for each in (user_attributes, movie_attributes))
    used, count = features.movies.used, min(5, len(features.movies.used))

    def drawn(*shape: int, scale: float = 1.0) -> np.ndarray:
        return rng.normal(0, scale, shape).astype(np.float32)

    root = drawn(len(SIZES), d, d)
    newcomers = Newcomers(
        center=drawn(d),
        history=drawn(movies, d, scale=0.5),
        tower=drawn(people + 2, d, scale=0.5),  # and the size of a history
        covariance=root @ root.transpose(0, 2, 1),
        noise=np.array([0.8], np.float32),
        mean=np.array([3.1], np.float32),
        movie_center=drawn(d),
        movie_tower=drawn(traits, d),
    )
    watching = Watching(
        profiles=np.column_stack([drawn(users, r + k), np.zeros(users, np.float32)]),
        watched=np.column_stack(
            [drawn(movies, r + k), rng.uniform(0, 3, movies).astype(np.float32)]
        ),
        own=rng.uniform(0.5, 2, movies).astype(np.float32),
        unseen=np.eye(k, dtype=np.float32),
        neighbours=np.stack([rng.choice(used, count, False) for _ in range(movies)]),
        correlation=rng.uniform(0, 0.3, (movies, count)).astype(np.float32),
    )
    stars = {
        "users": np.column_stack([drawn(users, d), drawn(users), 3 + drawn(users, scale=0.3)]),
        "films": np.column_stack(
            [drawn(movies, d), 3 + drawn(movies, scale=0.5), drawn(movies, scale=0.2)]
        ),
    }
    certainty = Certainty(
        users=drawn(users, scale=0.3),
        films=drawn(movies, scale=0.2),
        new_film=np.array([0.4], np.float32),
        usual=np.array([0.9], np.float32),
        met=np.eye(d, dtype=np.float32),
        knots=np.array([1, 3, 5], np.float32),
        by_stars=np.array([-0.4, 0.1, -0.6], np.float32),
        chance=np.array([0.1, 1.8], np.float32),
    )
    return Model(**stars, watching=watching, newcomers=newcomers, certainty=certainty)


class MeansRecipe(Recipe):
    """A recipe of one's own: a person's mean and what a film is above the mean of all."""

    def fit(self, job: Job) -> Trained:
        rows, sizes = job.learned, job.features.sizes
        counts = np.bincount(rows.user_idx, rows.rating, sizes.users)
        users = (counts + 15) / (np.bincount(rows.user_idx, minlength=sizes.users) + 5)
        above = np.bincount(rows.movie_idx, rows.rating - users[rows.user_idx], sizes.movies)
        films = above / (np.bincount(rows.movie_idx, minlength=sizes.movies) + 5)
        left = np.column_stack([users, np.ones_like(users)]).astype(np.float32)
        right = np.column_stack([np.ones_like(films), films]).astype(np.float32)
        history = pd.DataFrame({"epoch": [1], "train_loss": [1.0], "val_loss": [1.0]})
        seconds = {"build": 0.0, "compile": 0.0, "train": 0.0}
        return Trained({"users": left, "films": right}, left, right, history, 1, seconds)


def write_drawn_run(
    folder: Path, recipe: str = "best", seed: int = 0, ids_from: int | None = None
) -> Run:
    """A run folder whose vectors are drawn: what is to come back can be worked out from them.

    Nothing is trained, so that it takes no time.
    """
    tables = drawn_tables(ids_from)
    features = Features.fit(tables)
    part = np.random.default_rng(9).choice(3, len(tables.ratings), p=[0.6, 0.1, 0.3])
    part[tables.ratings["user_id"] == 6] = 0  # nothing held out
    low = (tables.ratings["user_id"] == 9) & (tables.ratings["rating"] >= 4)
    part[low & (part == 2)] = 0  # nothing liked among what is held out
    model = drawn_model(features, seed)
    model.watching.profiles[[5, 30]] = 0  # people without a history
    model.watching.profiles[[5, 30], -1] = POPULAR
    rows = {name: int((part == code).sum()) for code, name in enumerate(PARTS)}
    history = pd.DataFrame({"epoch": [1], "train_loss": [1.0], "val_loss": [1.0]})
    seconds = {"prepare": 1.0, "compile": 2.0, "train": 3.0, "finish": 4.0}
    return write_run(
        folder,
        info={
            "config": {"recipe": recipe, "seed": 0},
            "rows": rows,
            "metrics": {"validation": None, "test": None},
            "seconds": seconds,
            "best_epoch": 1,
        },
        tables=tables,
        part=pd.Categorical.from_codes(part, list(PARTS)),
        features=features,
        trained=Trained({}, model.users, model.films, history, 1, seconds),
        model=model,
        plots={},
    )


def real_folder(name: str, variable: str) -> Path:
    """Where a real data set is, which may not be redistributed; else skip the test."""
    folder = Path(os.environ.get(variable) or PROJECT.parent / "shared" / name)
    if not folder.exists():
        pytest.skip(f"no {name} at {folder}: put it there, or set {variable} to its folder or zip")
    return folder
