"""What a model has recovered of the truth of the sample, in words; other data has none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.features import Features
from movierec.models.newcomers import left_to_learn
from movierec.recommend.recommender import Recommender
from movierec.sample.simulate import Truth

UNKNOWN = "This data has no known truth to look behind the ratings."
FOUR_OF_FIVE = 1.2816  # standard deviations to both sides that hold 80 % of a normal distribution
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


def covered(truth: Truth | None, recommender: Recommender, ratings: pd.DataFrame) -> str:
    """How often what is expected of a person lies within four of five, by how much was told.

    Args:
        truth: of the data; None: it has none.
        recommender: whose newcomers are asked.
        ratings: of the data; people of it are taken for new ones who tell their first ratings.
    """
    if truth is None:
        return UNKNOWN
    model, movies = recommender.model, recommender.features.movies
    rows, said = movies.encode(truth.movie_ids), []
    for told in (0, 5, 15):
        inside = []
        for user in truth.user_ids[::40]:
            first = ratings[ratings["user_id"] == user].head(told)
            person = recommender.new_user(
                dict(zip(first["movie_id"], first["rating"], strict=True))
            )
            left = left_to_learn(model.newcomers, model.films, person.rated)
            films = model.films[rows, :-2]
            reach = FOUR_OF_FIVE * np.sqrt(np.sum((films @ left) * films, axis=1))
            expected = truth.expected_rating(np.full(len(rows), user), truth.movie_ids)
            inside.append(np.abs(model.films[rows] @ person.vector - expected) < reach)
        said.append(f"{np.mean(inside):.0%} after {told} ratings")
    return (
        "The line says how far a prediction may still move as the *person* becomes known; that the "
        "film's own row is off, too, is not in it. Beside the truth: of what is expected of every "
        f"fortieth person and each film, without the noise, {', '.join(said)} lies within the line "
        "of somebody new who rates as they did. Did it hold all that is unknown, it would be 80%."
    )
