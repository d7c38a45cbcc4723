"""A recommender that grows: new films, new users and new ratings, without training."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.attributes import movie_attributes, user_attributes
from movierec.data.features import Features, IdVocabulary
from movierec.data.tables import YEAR, Tables, validate_tables
from movierec.errors import InputError
from movierec.models.newcomers import new_movies, new_user, updated_user
from movierec.models.watching import Watching, star_weights, unwatched
from movierec.recommend.recommender import Recommender

Array = npt.NDArray[np.float32]


def with_movies(rec: Recommender, movies: pd.DataFrame) -> Recommender:
    """A recommender that has further films; see `Recommender.add_movies`."""
    newcomers = rec.need_newcomers()
    old = rec.features
    added = movies.reset_index(drop=True)
    if "movie_id" not in added:
        first = int(rec.tables.movies["movie_id"].max()) + 1
        added = added.assign(movie_id=np.arange(first, first + len(added)))
    if "year" not in added and "title" in added:
        year = added["title"].astype(str).str.extract(YEAR, expand=False)
        added = added.assign(year=pd.to_numeric(year).astype("Int64"))
    table = pd.concat([rec.tables.movies, added], ignore_index=True)
    tables = validate_tables(dataclasses.replace(rec.tables, movies=table))
    features = Features.fit(tables, title_length=old.sizes.title_length)
    if stray := sorted(set(features.genres) - set(old.genres)):
        known = ", ".join(old.genres[1:])
        raise InputError(f"unknown genre {stray[0]!r}; expected some of {known}")
    new = features.movies.encode(added["movie_id"])
    attributes = movie_attributes(features)[new]
    vectors = new_movies(newcomers, attributes)

    def grown(array: Array, values: Array) -> Array:
        wider = _moved(array, old.movies, features.movies)
        wider[new] = values
        return wider

    films = len(old.movies)
    unseen = np.zeros((len(new), newcomers.tower.shape[1]), np.float32)
    tower = [grown(newcomers.tower[:films], unseen), newcomers.tower[films:]]
    newcomers = newcomers._replace(
        tower=np.concatenate(tower), movie_rest=grown(newcomers.movie_rest, vectors[:, -2:])
    )
    watching = rec.watching
    if watching:
        taken = unwatched(watching, movie_attributes(old), attributes)
        names = ("movies", "own", "near", "liked")
        pairs = {name: (getattr(watching, name), getattr(taken, name)) for name in names}
        watching = watching._replace(**{name: grown(*pair) for name, pair in pairs.items()})
    both = rec.user_vectors, grown(rec.movie_vectors, vectors[:, :-2])
    return Recommender(tables, features, *both, newcomers, watching, rec.learned)


def with_ratings(
    rec: Recommender, ratings: pd.DataFrame, users: pd.DataFrame | None = None
) -> Recommender:
    """A recommender that knows further ratings; see `Recommender.add_ratings`."""
    newcomers = rec.need_newcomers()
    added = ratings.reset_index(drop=True)
    if "timestamp" not in added:
        added = added.assign(timestamp=rec.tables.ratings["timestamp"].max())
    if missing := {"user_id", "movie_id", "rating"} - set(added.columns):
        raise InputError(f"the ratings lack {', '.join(sorted(missing))}; add them")
    stray = added["rating"][~added["rating"].between(rec.lowest, rec.highest)]
    if len(stray):
        raise InputError(
            f"got a rating of {stray.iloc[0]}; expected {rec.lowest:g} to {rec.highest:g} stars"
        )
    changes: dict[str, Any] = {
        "ratings": pd.concat([rec.tables.ratings, added], ignore_index=True).astype(
            rec.tables.ratings.dtypes.to_dict()
        )
    }
    if users is not None:
        everybody = pd.concat([rec.tables.users, users], ignore_index=True)
        if "zip" in everybody:  # which nothing is worked out from
            everybody["zip"] = everybody["zip"].fillna("")
        changes["users"] = everybody
    tables: Tables = validate_tables(dataclasses.replace(rec.tables, **changes))
    features = Features.fit(tables, title_length=rec.features.sizes.title_length)
    old, here = rec.features.users, features.users
    vectors = _moved(rec.user_vectors, old, here)
    rest = _moved(newcomers.user_rest, old, here)
    watching: Watching | None = rec.watching
    profiles = _moved(watching.users, old, here) if watching else None
    attributes = user_attributes(features)
    user_idx = here.encode(added["user_id"])
    movie_idx = features.movies.encode(added["movie_id"])
    stars = added["rating"].to_numpy(dtype=np.float32)
    for row in np.unique(user_idx):
        mine = user_idx == row
        given = movie_idx[mine], stars[mine]
        order = np.argsort(given[0])  # sums of floats depend on their order: the result shall not
        given = given[0][order], given[1][order]
        user_id = here.decode(row)
        if user_id in old.ids:
            before, _ = rec.seen(int(old.encode([user_id])[0]), learned_only=True)
            vector = np.concatenate([vectors[row], rest[row]])
            vector = updated_user(newcomers, rec.movie_vectors, vector, before, *given)
        else:
            vector = new_user(newcomers, rec.movie_vectors, attributes[row], *given).vector
        vectors[row], rest[row] = vector[:-2], vector[-2:]
        if watching and profiles is not None:
            profiles[row] += star_weights(given[1]) @ watching.movies[given[0]]
    if watching and profiles is not None:
        watching = watching._replace(users=profiles)
    known = newcomers._replace(user_rest=rest)
    learned = np.append(rec.learned, np.ones(len(added), np.bool_))
    return Recommender(tables, features, vectors, rec.movie_vectors, known, watching, learned)


def _moved(array: Array, old: IdVocabulary, new: IdVocabulary) -> Array:
    """An array by the rows of one vocabulary as one by the rows of another that holds its ids.

    Rows without an id hold 0; in an array of numbers, which may be divided by, 1.
    """
    wider = np.full((len(new), *array.shape[1:]), float(array.ndim == 1), dtype=np.float32)
    wider[new.encode(old.ids[old.used])] = array[old.used]
    return wider
