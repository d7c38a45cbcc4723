"""People of the data: who is looked at first, and what they rated."""

from __future__ import annotations

import pandas as pd

from movierec.data.tables import Tables
from movierec.recommend.recommender import Recommender


def active_user(tables: Tables) -> int:
    """The id of a user with many ratings (one in ten has more) and half the films still to see."""
    counts = tables.ratings["user_id"].value_counts().sort_index().sort_values(kind="stable")
    roomy = int((counts <= len(tables.movies) / 2).sum())
    return int(counts.index[min(int(0.9 * len(counts)), max(roomy - 1, 0))])


def rated_films(recommender: Recommender, user_id: int) -> pd.DataFrame:
    """What a user has rated.

    Returns:
        `movie_id`, `title`, `year`, `genres`, `rating`; the best first, of equals the latest.
    """
    tables = recommender.tables
    rated = tables.ratings[tables.ratings["user_id"] == user_id].merge(tables.movies, on="movie_id")
    rated = rated.sort_values(["rating", "timestamp", "movie_id"], ascending=[False, False, True])
    return rated[["movie_id", "title", "year", "genres", "rating"]].reset_index(drop=True)
