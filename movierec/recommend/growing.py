"""New films, new users and new ratings, without training."""

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
from movierec.models.model import Model, new_user_term
from movierec.models.newcomers import new_movies, new_user, updated_user
from movierec.models.watching import profile_of, unwatched
from movierec.recommend.catalogue import Catalogue
from movierec.vectors import Indices

# what a recommender is made of, after it has grown
Grown = tuple[Tables, Features, Model, npt.NDArray[np.bool_]]


def with_movies(catalogue: Catalogue, model: Model, movies: pd.DataFrame) -> Grown:
    """Add films; see `Recommender.add_movies`."""
    old = catalogue.features
    added = movies.reset_index(drop=True)
    if "movie_id" not in added:
        first = int(catalogue.tables.movies["movie_id"].max()) + 1
        added = added.assign(movie_id=np.arange(first, first + len(added)))
    if "year" not in added and "title" in added:
        year = added["title"].astype(str).str.extract(YEAR, expand=False)
        added = added.assign(year=pd.to_numeric(year).astype("Int64"))
    table = pd.concat([catalogue.tables.movies, added], ignore_index=True)
    tables = validate_tables(dataclasses.replace(catalogue.tables, movies=table))
    features = Features.fit(tables, title_length=old.sizes.title_length)
    if stray := sorted(set(features.genres) - set(old.genres)):
        known = ", ".join(old.genres[1:])
        raise InputError(f"unknown genre {stray[0]!r}; expected some of {known}")
    new = features.movies.encode(added["movie_id"])
    attributes = movie_attributes(features, new)
    rated = np.zeros(len(old.movies), np.bool_)
    rated[old.movies.encode(catalogue.tables.ratings["movie_id"][catalogue.learned])] = True
    watched, own = unwatched(model.watching, rated, movie_attributes(old), attributes)

    def grown(array: npt.NDArray[Any], values: npt.ArrayLike) -> npt.NDArray[Any]:
        wider = _moved(array, old.movies, features.movies)
        wider[new] = values
        return wider

    watching = model.watching._replace(
        watched=grown(model.watching.watched, watched),
        own=grown(model.watching.own, own),
        neighbours=grown(_renamed(model.watching.neighbours, old.movies, features.movies), 0),
        correlation=grown(model.watching.correlation, 0.0),
    )
    newcomers = model.newcomers._replace(history=grown(model.newcomers.history, 0.0))
    near = model.films.shape[1] - len(newcomers.center) - 2
    films = grown(model.films, new_movies(newcomers, attributes, near))
    certainty = model.certainty._replace(
        films=grown(model.certainty.films, model.certainty.new_film[0])
    )
    grown_model = Model(model.users, films, watching, newcomers, certainty)
    return tables, features, grown_model, catalogue.learned


def with_ratings(
    catalogue: Catalogue, model: Model, ratings: pd.DataFrame, users: pd.DataFrame | None = None
) -> Grown:
    """Add ratings, of users of the data or of new ones; see `Recommender.add_ratings`."""
    before = catalogue.tables
    added = ratings.reset_index(drop=True)
    if "timestamp" not in added:
        added = added.assign(timestamp=before.ratings["timestamp"].max())
    if missing := {"user_id", "movie_id", "rating"} - set(added.columns):
        raise InputError(f"the ratings lack {', '.join(sorted(missing))}; add them")
    low, high = catalogue.lowest, catalogue.highest
    stray = added["rating"][~added["rating"].between(low, high)]
    if len(stray):
        raise InputError(f"got a rating of {stray.iloc[0]}; expected {low:g} to {high:g} stars")
    table = pd.concat([before.ratings, added], ignore_index=True)
    table = table.astype(before.ratings.dtypes.to_dict())
    everybody = before.users
    if users is not None:
        everybody = pd.concat([everybody, users], ignore_index=True)
        if "zip" in everybody:  # which nothing is worked out from
            everybody["zip"] = everybody["zip"].fillna("")
    tables = validate_tables(dataclasses.replace(before, ratings=table, users=everybody))
    features = Features.fit(tables, title_length=catalogue.features.sizes.title_length)
    old, here = catalogue.features.users, features.users
    vectors = _moved(model.users, old, here)
    profiles = _moved(model.watching.profiles, old, here)
    terms = _moved(model.certainty.users, old, here)
    attributes = user_attributes(features)
    user_idx = here.encode(added["user_id"])
    movie_idx = features.movies.encode(added["movie_id"])
    stars = added["rating"].to_numpy(dtype=np.float32)
    order = np.lexsort((movie_idx, user_idx))  # sums of floats depend on it: the result shall not
    people, starts = np.unique(user_idx[order], return_index=True)
    for row, rows in zip(people, np.split(order, starts[1:]), strict=True):
        given = movie_idx[rows], stars[rows]
        user_id, seen, before_stars = here.decode(row), movie_idx[:0], stars[:0]
        if user_id in old.ids:
            seen, before_stars = catalogue.seen(int(old.encode([user_id])[0]), learned_only=True)
        if len(seen):
            vectors[row] = updated_user(model.newcomers, model.films, vectors[row], seen, *given)
            whole = np.append(seen, given[0]), np.append(before_stars, given[1])
            profiles[row, :-1] = profile_of(model.watching, *whole)[:-1]
        else:  # somebody new, or who had rated nothing
            vectors[row] = new_user(model.newcomers, model.films, attributes[row], *given).vector
            profiles[row] = profile_of(model.watching, *given)
            terms[row] = new_user_term(model, given[0])
    watching = model.watching._replace(profiles=profiles)
    learned = np.append(catalogue.learned, np.ones(len(added), np.bool_))
    certainty = model.certainty._replace(users=terms)
    model = model._replace(users=vectors, watching=watching, certainty=certainty)
    return tables, features, model, learned


def _renamed(rows: Indices, old: IdVocabulary, new: IdVocabulary) -> Indices:
    """Row numbers of one vocabulary as those of another that holds its ids; of no id, 0."""
    names = np.zeros(len(old), np.int32)
    names[old.used] = new.encode(old.ids[old.used])
    return names[rows]


def _moved(array: npt.NDArray[Any], old: IdVocabulary, new: IdVocabulary) -> npt.NDArray[Any]:
    """An array by the rows of one vocabulary as one by the rows of another that holds its ids.

    Rows without an id hold 0; in an array of numbers, which may be divided by, 1.
    """
    wider = np.full((len(new), *array.shape[1:]), array.ndim == 1, dtype=array.dtype)
    wider[new.encode(old.ids[old.used])] = array[old.used]
    return wider
