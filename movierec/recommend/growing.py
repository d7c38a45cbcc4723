"""New films, new users and new ratings, without training; see `Recommender.add_movies` and on."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.attributes import movie_attributes, user_attributes
from movierec.data.features import Features, IdVocabulary
from movierec.data.tables import Tables, validate_sides, validate_tables
from movierec.errors import InputError
from movierec.models.model import Model, new_user_term
from movierec.models.newcomers import new_movies, new_user, updated_user
from movierec.models.watching import profile_of, unwatched
from movierec.recommend.catalogue import Catalogue

# what a recommender is made of, after it has grown
Grown = tuple[Tables, Features, Model, npt.NDArray[np.bool_]]


def with_movies(catalogue: Catalogue, model: Model, movies: pd.DataFrame) -> Grown:
    """Add films."""
    old, before, watching = catalogue.features, catalogue.tables, model.watching
    if "movie_id" not in movies:
        movies = movies.assign(
            movie_id=before.movies["movie_id"].max() + 1 + np.arange(len(movies))
        )
    kinds = before.movies.select_dtypes("integer").dtypes  # whole numbers may be of any width
    given = movies.select_dtypes("integer").columns.intersection(kinds.index)
    movies = movies.astype(kinds[given].to_dict(), errors="ignore")
    _, added = validate_sides(before.users, movies, len(before.occupations))
    table = pd.concat([before.movies, added], ignore_index=True)
    tables = validate_tables(dataclasses.replace(before, movies=table))
    features = Features.fit(tables, title_length=old.sizes.title_length)
    if stray := sorted(set(features.genres) - set(old.genres)):
        known = ", ".join(old.genres[1:])
        raise InputError(f"unknown genre {stray[0]!r}; expected some of {known}")
    new = features.movies.encode(added["movie_id"])
    attributes = movie_attributes(features, new)
    rated = np.zeros(len(old.movies), np.bool_)
    rated[old.movies.encode(before.ratings["movie_id"][catalogue.learned])] = True
    watched, own = unwatched(watching, rated, movie_attributes(old), attributes)
    renamed = np.zeros(len(old.movies), np.int32)  # rows as those of the films that there are now
    renamed[old.movies.used] = features.movies.encode(old.movies.ids[old.movies.used])

    def grown(array: npt.NDArray[Any], values: npt.ArrayLike = 0) -> npt.NDArray[Any]:
        wider = _moved(array, old.movies, features.movies)
        wider[new] = values
        return wider

    near = model.films.shape[1] - len(model.newcomers.center) - 2
    certainty = model.certainty
    model = model._replace(
        films=grown(model.films, new_movies(model.newcomers, attributes, near)),
        watching=watching._replace(
            watched=grown(watching.watched, watched),
            own=grown(watching.own, own),
            neighbours=grown(renamed[watching.neighbours]),
            correlation=grown(watching.correlation),
        ),
        newcomers=model.newcomers._replace(history=grown(model.newcomers.history)),
        certainty=certainty._replace(films=grown(certainty.films, certainty.new_film[0])),
    )
    return tables, features, model, catalogue.learned


def with_ratings(
    catalogue: Catalogue, model: Model, ratings: pd.DataFrame, users: pd.DataFrame | None = None
) -> Grown:
    """Add ratings, of users of the data or of new ones."""
    before, old = catalogue.tables, catalogue.features.users
    if missing := {"user_id", "movie_id", "rating"} - set(ratings.columns):
        raise InputError(f"the ratings lack {', '.join(sorted(missing))}; add them")
    catalogue.check_stars(ratings["rating"])
    if "timestamp" not in ratings:
        ratings = ratings.assign(timestamp=before.ratings["timestamp"].max())
    table = pd.concat([before.ratings, ratings], ignore_index=True)
    table = table.astype(before.ratings.dtypes.to_dict())
    everybody = before.users
    if users is not None:
        everybody = pd.concat([everybody, users], ignore_index=True)
        if "zip" in everybody:  # which nothing is worked out from
            everybody["zip"] = everybody["zip"].fillna("")
    tables = validate_tables(dataclasses.replace(before, ratings=table, users=everybody))
    features = Features.fit(tables, title_length=catalogue.features.sizes.title_length)
    learned = np.append(catalogue.learned, np.ones(len(ratings), np.bool_))
    now, here = Catalogue(tables, features, learned), features.users
    attributes, newcomers, films = user_attributes(features), model.newcomers, model.films
    halves = model.users, model.watching.profiles, model.certainty.users
    vectors, profiles, terms = (_moved(array, old, here) for array in halves)
    for row in np.unique(here.encode(ratings["user_id"])):
        movie_idx, stars = now.seen(row, learned_only=True)
        profile, seen = profile_of(model.watching, movie_idx, stars), movie_idx[:0]
        if (user_id := here.decode(row)) in old.ids:
            seen, _ = catalogue.seen(int(old.encode(user_id)), learned_only=True)
        if len(seen):
            new = ~np.isin(movie_idx, seen)
            given = movie_idx[new], stars[new]
            vectors[row] = updated_user(newcomers, films, vectors[row], seen, *given)
            profiles[row, :-1] = profile[:-1]
        else:  # somebody new, or who had rated nothing
            vectors[row] = new_user(newcomers, films, attributes[row], movie_idx, stars).vector
            profiles[row], terms[row] = profile, new_user_term(model, movie_idx)
    model = model._replace(
        users=vectors,
        watching=model.watching._replace(profiles=profiles),
        certainty=model.certainty._replace(users=terms),
    )
    return tables, features, model, learned


def _moved(array: npt.NDArray[Any], old: IdVocabulary, new: IdVocabulary) -> npt.NDArray[Any]:
    """An array by the rows of one vocabulary as one by the rows of another that holds its ids.

    Rows without an id hold 0; in an array of numbers, which may be divided by, 1.
    """
    wider = np.full((len(new), *array.shape[1:]), array.ndim == 1, dtype=array.dtype)
    wider[new.encode(old.ids[old.used])] = array[old.used]
    return wider
