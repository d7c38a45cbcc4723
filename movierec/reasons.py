"""Why a film: what a person's ratings add to its score, and what films have in common.

The parts of an explanation come from the same sums that make the score, so they add up to it. The
methods of `Recommender` with the same names say what comes back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from movierec.newcomers import new_user
from movierec.people import Person, known_attributes
from movierec.watching import star_weights

if TYPE_CHECKING:
    from movierec.recommend import Recommender


def explain(rec: Recommender, person: Person, movie_id: int) -> pd.DataFrame:
    """What each rated film adds to a film's predicted stars; see `Recommender.explain`."""
    movie_idx = int(rec.features.movies.encode([movie_id])[0])
    film = rec.films[movie_idx].astype(np.float64)
    rated, stars, base, parts = person.rated, person.stars, person.base, person.parts
    names = ["what is there without ratings"]
    if person.user_idx is not None:
        # only what the training has seen can have moved the trained vector
        rated, stars = rec.seen(person.user_idx, learned_only=True)
        attributes = known_attributes(rec.features, person.user_idx)
        like = new_user(rec.need_newcomers(), rec.movie_vectors, attributes, rated, stars)
        base, parts = like.base, like.parts
        names.append("what the training knows beyond these ratings")
    assert base is not None  # a new person has both
    assert parts is not None
    beyond = person.vector - base - parts.sum(axis=0)
    rest = pd.DataFrame({"title": names, "stars": [film @ base, film @ beyond][: len(names)]})
    frame = rec.describe(rated)[["movie_id", "title"]]
    frame = frame.assign(rating=stars, stars=parts @ film)
    if rec.watching and person.profile is not None:
        *meets, popular = rec.watched[movie_idx]
        frame["watching"] = star_weights(stars) * (rec.watching.movies[rated] @ meets)
        left = person.profile @ meets - frame["watching"].sum()  # rounding
        rest["watching"] = [person.popular * popular, left][: len(names)]
    frame = frame.sort_values("stars", key=np.abs, ascending=False, kind="stable")
    frame["movie_id"] = frame["movie_id"].astype("Int64")
    return pd.concat([rest, frame], ignore_index=True)[list(frame.columns)]


def because(rec: Recommender, person: Person, movie_id: int, count: int) -> str:
    """`explain` in words; see `Recommender.because`."""
    reasons = explain(rec, person, movie_id).dropna(subset="movie_id")
    weight = reasons["watching" if rec.watching else "stars"]
    said = reasons.loc[weight[weight > 0].nlargest(count).index]
    parts = [f"{film.title} {film.rating:g} stars" for film in said.itertuples()]
    text = f"because you gave {' and '.join(parts)}" if parts else ""
    against = reasons.nsmallest(1, "stars")
    against = against[(against["stars"] < 0) & ~against["movie_id"].isin(said["movie_id"])]
    for film in against.itertuples():
        text += f"{', though' if text else 'though you gave'} {film.title} {film.rating:g} stars"
    return text


def shared(rec: Recommender, movie_id: int, other_id: int) -> dict[str, Any]:
    """What two films have in common; see `Recommender.shared`."""
    features, ratings = rec.features, rec.tables.ratings
    first, second = features.movies.encode([movie_id, other_id])
    raters = [
        set(ratings["user_id"][ratings["movie_id"] == movie]) for movie in (movie_id, other_id)
    ]
    fields = features.movie_fields
    genres = np.intersect1d(fields["genres"][first], fields["genres"][second])
    words = np.intersect1d(fields["title"][first], fields["title"][second])
    return {
        "likeness": float(rec.likeness(int(first))[second]),
        "raters": len(raters[0] & raters[1]),
        "expected": len(raters[0]) * len(raters[1]) / len(features.users.used),
        "genres": [features.genres[genre] for genre in genres if genre],
        "words": [features.words[word] for word in words if word],
    }
