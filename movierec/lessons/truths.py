"""What a model has recovered of the truth of the sample, in words; other data has none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.features import Features
from movierec.evaluation.metrics import REACH
from movierec.recommend.recommender import Recommender
from movierec.sample.simulate import Truth

UNKNOWN = "Of this data no truth is known; of the sample it is (`movierec notebooks`)."
PENALTY = 10.0  # of the ridge, for vectors of unit variance


def explained(vectors: npt.NDArray, truth: npt.NDArray, seed: int = 0) -> float:
    """How much of a truth the best linear map from vectors to it explains.

    Args:
        vectors, truth: (n, p) and (n, q), of the same n things.
        seed: of the fifth of the things that is kept from the fit of the map (a ridge regression).

    Returns:
        R², the share of the truth's variance over that fifth; below 0 where its mean says more.
    """
    x = (vectors - vectors.mean(axis=0)) / (vectors.std() or 1)
    order = np.random.default_rng(seed).permutation(len(x))
    asked, fitted = np.split(order, [len(order) // 5])
    y = truth - truth[fitted].mean(axis=0)
    square = x[fitted].T @ x[fitted] + PENALTY * np.eye(x.shape[1])
    guess = x[asked] @ np.linalg.solve(square, x[fitted].T @ y[fitted])
    return float(1 - np.sum((y[asked] - guess) ** 2) / np.sum(y[asked] ** 2))


def tastes(
    truth: Truth | None,
    features: Features,
    vectors: Mapping[str, tuple[npt.NDArray, npt.NDArray]],
    seed: int = 0,
) -> str:
    """How far people's vectors hold their true tastes, and films' their true traits.

    Args:
        truth: of the data; None: it has none.
        features: the vocabularies, by which rows are found.
        vectors: by name those of all users and all films, (rows, d) each.
        seed: see `explained`.
    """
    if truth is None:
        return UNKNOWN
    users, movies = features.users.encode(truth.user_ids), features.movies.encode(truth.movie_ids)
    said = [
        f"{when} {explained(own[users], truth.user_tastes, seed):.0%} of the tastes and "
        f"{explained(films[movies], truth.movie_traits, seed):.0%} of the traits"
        for when, (own, films) in vectors.items()
    ]
    shuffled = np.random.default_rng(seed).permutation([*vectors.values()][-1][0][users])
    chance = explained(shuffled, truth.user_tastes, seed)
    return (
        "The ratings here are simulated, and behind them stand tastes of people and traits of "
        f"films, {truth.user_tastes.shape[1]} numbers each, which the network has never seen. Of "
        "their variance, on the fifth of people and films that the map was not fitted to, the best "
        f"linear map explains {', '.join(said)}. With the people's vectors in another order it "
        f"would be {chance:.0%}."
    )


def circles(truth: Truth | None, recommender: Recommender, movie_id: int, k: int = 10) -> str:
    """How many of the films most similar to a film are of its circle, and of every third film."""
    if truth is None:
        return UNKNOWN
    circle = pd.Series(truth.movie_circle, truth.movie_ids)

    def share(film: int) -> float:
        return float((circle[recommender.similar(film, k)["movie_id"]] == circle[film]).mean())

    shares = np.mean([share(int(film)) for film in truth.movie_ids[::3]])
    sizes = circle.value_counts()
    chance = float((sizes * (sizes - 1)).sum() / (len(circle) * (len(circle) - 1)))
    return (
        f"The films here belong to {len(sizes)} circles, which nobody was told. Of the {k} films "
        f"above {share(movie_id):.0%} are of the circle of the one that was asked for; over every "
        f"third film it is **{shares:.0%}**, and of any two films {chance:.0%}."
    )


def covered(recommender: Recommender, ratings: pd.DataFrame) -> str:
    """How many of people's stars lie on the line that holds four of five, by how much was told.

    Args:
        recommender: whose newcomers are asked.
        ratings: of the data; people of it are taken for new ones who tell their first ratings.
    """
    people, said = dict([*ratings.groupby("user_id")][::40]), []
    for told in (0, 5, 15):
        inside = []
        for own in people.values():
            first, rest = own.head(told), own.iloc[told:]
            stars_told = dict(zip(first["movie_id"], first["rating"], strict=True))
            person = recommender.new_user(stars_told)
            stars, std = recommender.predict(person, rest["movie_id"], return_std=True)
            inside.append(np.abs(stars - rest["rating"].to_numpy()) < REACH * std)
        said.append(f"{np.mean(np.concatenate(inside)):.0%} after {told} ratings")
    return (
        "For every fortieth person, as if they were new and rated as they did, the line holds "
        f"{', '.join(said)} of the stars that they gave besides; it is meant to hold 80%. It may "
        "hold more than of strangers: what films are like was learned from these very stars, too."
    )
