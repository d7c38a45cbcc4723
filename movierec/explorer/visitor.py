"""Somebody new at the explorer: what they told, which films to ask them about, and their file.

**Which films to ask about.** A question is worth what its answer teaches, times the chance that
there is one. What it teaches is exact in the model of new users (see `newcomers`): with S the
covariance of the person's vector after what they have said, f the film asked about, and the films
g weighed by w for how likely the person is to meet them, the answer lowers the summed variance of
the predicted ratings by

    sum over g of w_g (g' S f)^2 / (f' S f + noise)

whatever the answer is. The chance that they know a film is its share among the people of the data,
each weighed by how well the films that they rated agree with the visitor's "rated" and "don't know
it"; the same chance is w. Films are chosen one after the other, each as if those before it were
answered as far as they are likely to be.

Reference:
    Yu, Bi and Tresp (2006), Active Learning via Transductive Experimental Design, section 3;
    Rubens, Elahi, Sugiyama and Kaplan (2015), Active Learning in Recommender Systems, section 24.3.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import jsonschema
import numpy as np
import numpy.typing as npt

from movierec.data.features import GENDERS
from movierec.data.tables import AGE_BANDS
from movierec.errors import InputError, one_line
from movierec.models.newcomers import left_to_learn
from movierec.recommend.people import Person
from movierec.recommend.recommender import Recommender
from movierec.vectors import Vectors

AGREE = 0.7  # chance that somebody like the visitor knows what the visitor knows, and not what not
MOST_COMPARED = 2_000  # people of the data that the visitor is compared with
CANDIDATES = 400  # films asked about are among so many that are most likely to be known
LARGEST = 2**20  # bytes of a profile
FORMAT = "movierec profile"

_NUMBER = {"type": "integer", "minimum": 0, "maximum": 2**31 - 1}
SCHEMA: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["format", "version", "ratings"],
    "properties": {
        "format": {"const": FORMAT},
        "version": {"const": 1},
        "data": {"type": "string", "maxLength": 200},
        "ratings": {
            "type": "array",
            "maxItems": 5000,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["movie_id", "title", "stars"],
                "properties": {
                    "movie_id": _NUMBER,
                    "title": {"type": "string", "maxLength": 500},
                    "stars": {"type": "number", "minimum": 0, "maximum": 10},
                },
            },
        },
        "unknown": {"type": "array", "maxItems": 5000, "items": _NUMBER},
        "gender": {"enum": [*GENDERS, None]},
        "age": {"type": ["integer", "null"], "minimum": 1, "maximum": 129},
        "occupation": {"type": ["integer", "null"], "minimum": 0, "maximum": 999},
    },
}


@dataclass
class Visitor:
    """What somebody new has told so far; all of it may be missing.

    Attributes:
        ratings: stars by movie id, in the order in which they were given.
        unknown: ids of the films that they say they don't know.
        gender, age, occupation: as in `Recommender.new_user`.
    """

    ratings: dict[int, float] = field(default_factory=dict)
    unknown: list[int] = field(default_factory=list)
    gender: str | None = None
    age: int | None = None
    occupation: int | None = None

    def rate(self, movie_id: int, stars: float) -> None:
        """Give a film stars, or other stars than before."""
        self.unknown = [film for film in self.unknown if film != movie_id]
        self.ratings[movie_id] = stars

    def pass_over(self, movie_id: int) -> None:
        """Say that a film is not known."""
        self.ratings.pop(movie_id, None)
        if movie_id not in self.unknown:
            self.unknown.append(movie_id)

    def take_back(self, movie_id: int) -> None:
        """Take a rating or a "don't know it" back."""
        self.ratings.pop(movie_id, None)
        self.unknown = [film for film in self.unknown if film != movie_id]

    def person(self, recommender: Recommender) -> Person:
        """The visitor as somebody to recommend to.

        Raises:
            InputError: as `Recommender.new_user`.
        """
        return recommender.new_user(self.ratings, self.gender, self.age, self.occupation)


def offers(
    recommender: Recommender, visitor: Visitor, k: int = 6, shown: Sequence[int] = ()
) -> list[int]:
    """The films whose stars would teach most about somebody, given what they have told.

    Args:
        recommender: of a run that can serve new users.
        visitor: what they have told.
        k: how many films.
        shown: ids of films that are asked about already, and stay so.

    Returns:
        Movie ids, the most telling first; fewer than k where fewer films are left.

    Raises:
        InputError: an unknown film, or a run that was not made for newcomers.
    """
    newcomers = recommender.model.newcomers
    movies = recommender.features.movies
    rated, unknown, asked = (
        movies.encode(np.array(list(ids), dtype=np.int64))
        for ids in (visitor.ratings, visitor.unknown, shown)
    )
    chance = known_chance(recommender, rated, unknown)
    films = recommender.model.films
    vectors = films[:, :-2]
    covariance = left_to_learn(newcomers, films, rated).astype(np.float32)
    noise = float(newcomers.noise[0])
    weight = (chance / max(chance.sum(), 1e-12)).astype(np.float32)
    weighed = (vectors * weight[:, None]).T @ vectors  # (d, d)
    for film in asked:
        covariance = _as_if_answered(covariance, vectors[film], noise, chance[film])
    free = movies.ids >= 0
    free[np.concatenate([rated, unknown, asked])] = False
    order = np.argsort(np.where(free, -chance, np.inf), kind="stable")
    candidates = order[: min(CANDIDATES, int(free.sum()))]
    some = vectors[candidates]  # (c, d)
    left = np.ones(len(candidates), dtype=bool)
    chosen: list[int] = []
    for _ in range(min(k, len(candidates))):
        spread = some @ covariance  # (c, d)
        taught = np.einsum("nd,nd->n", spread @ weighed, spread)
        taught /= np.einsum("nd,nd->n", spread, some) + noise
        place = int(np.argmax(np.where(left, chance[candidates] * taught, -np.inf)))
        film = int(candidates[place])
        chosen.append(film)
        left[place] = False
        covariance = _as_if_answered(covariance, vectors[film], noise, chance[film])
    return [int(movie_id) for movie_id in movies.decode(np.array(chosen, dtype=np.int64))]


def known_chance(
    recommender: Recommender,
    rated: npt.NDArray[np.integer],
    unknown: npt.NDArray[np.integer],
) -> npt.NDArray[np.float64]:
    """How likely a visitor is to know each film.

    Args:
        recommender: whose people the visitor is compared with; of more than `MOST_COMPARED`, every
            second, third, ... one.
        rated, unknown: rows of the films that the visitor knows, and does not know.

    Returns:
        (movie rows,) between 0 and 1.
    """
    users = len(recommender.features.users)
    step = max(-(-users // MOST_COMPARED), 1)
    agreement = np.zeros(users)
    odds = np.log(AGREE / (1 - AGREE))
    for films, sign in ((rated, 1), (unknown, -1)):
        for film in films:
            agreement[recommender.raters(int(film))] += sign * odds
    compared = recommender.features.users.used[::step]
    weight = np.exp(agreement[compared] - agreement[compared].max())
    weight /= weight.sum()
    seen = [recommender.seen(int(user))[0] for user in compared]
    shares = np.repeat(weight, [len(films) for films in seen])
    rows = len(recommender.features.movies)
    return np.bincount(np.concatenate(seen), shares, rows).astype(np.float64)


def _as_if_answered(covariance: Vectors, film: Vectors, noise: float, chance: float) -> Vectors:
    """The covariance that is left after a film was asked about which is known with some chance."""
    spread = covariance @ film
    share = np.float32(chance / (film @ spread + noise))
    return (covariance - share * np.outer(spread, spread)).astype(np.float32)


# --- the file ------------------------------------------------------------------------------------


def write_profile(recommender: Recommender, visitor: Visitor) -> str:
    """What a visitor told, as a JSON file that `read_profile` takes back."""
    profile = {
        "format": FORMAT,
        "version": 1,
        "data": recommender.tables.name,
        "ratings": [
            {"movie_id": film, "title": recommender.title(film), "stars": stars}
            for film, stars in visitor.ratings.items()
        ],
        "unknown": visitor.unknown,
        "gender": visitor.gender,
        "age": visitor.age,
        "occupation": visitor.occupation,
    }
    return json.dumps(profile, ensure_ascii=False, indent=1)


def read_profile(recommender: Recommender, content: bytes) -> tuple[Visitor, int]:
    """A visitor from the file that they kept.

    Films count only where the id still has the title that it had, so that a file made with other
    data brings in no stranger films.

    Args:
        recommender: whose films they are.
        content: the file.

    Returns:
        The visitor, and how many ratings were left out since the data has no such film.

    Raises:
        InputError: no profile, a damaged one, or one that fits no film of the data.
    """
    if len(content) > LARGEST:
        raise InputError(
            f"this file has {len(content):,} bytes; expected a profile of at most {LARGEST:,}"
        )
    try:
        profile = json.loads(content.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InputError(
            "this file is no profile: it holds no JSON. Choose a file that was saved here"
        ) from error
    checker = jsonschema.Draft202012Validator(SCHEMA)
    if fault := jsonschema.exceptions.best_match(checker.iter_errors(profile)):
        place = "".join(f" {step}" for step in fault.absolute_path)
        raise InputError(
            f"this file is no profile of movierec{', at' + place if place else ''}: "
            f"{one_line(fault.message, 160)}. Choose a file that was saved here"
        )
    age, occupation = (
        None if (told := profile.get(name)) is None else int(told) for name in ("age", "occupation")
    )
    visitor = Visitor(gender=profile.get("gender"), age=age, occupation=occupation)
    titles = dict(
        zip(recommender.tables.movies["movie_id"], recommender.tables.movies["title"], strict=True)
    )
    for rating in profile["ratings"]:
        if titles.get(rating["movie_id"]) == rating["title"]:
            stars = float(rating["stars"])
            if stars not in recommender.star_values:
                raise InputError(
                    f"this profile has a rating of {stars:g}; expected one of "
                    f"{recommender.star_values}. Choose a file that was saved here"
                )
            visitor.ratings[int(rating["movie_id"])] = stars  # 1.0 is an integer of JSON Schema
    left_out = len({rating["movie_id"] for rating in profile["ratings"]}) - len(visitor.ratings)
    if profile["ratings"] and not visitor.ratings:
        raise InputError(
            f"none of the {left_out} films of this profile is in the data "
            f"{recommender.tables.name}; it was saved with other films"
        )
    known = set(titles) - set(visitor.ratings)
    visitor.unknown = [
        film for film in dict.fromkeys(map(int, profile.get("unknown", []))) if film in known
    ]
    if not recommender.features.user_fields:
        visitor.gender = visitor.age = visitor.occupation = None
    elif visitor.age is not None:  # as the form tells it
        visitor.age = max(year for year in AGE_BANDS if year <= visitor.age)
    visitor.person(recommender)  # refuses stars and occupations that the data does not have
    return visitor, left_out


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")
