"""What films are ordered by, by row numbers: one way to score, for one person or all of them.

A film's score joins how likely somebody is to watch it with how likely they are to like it; with
`liking=1` it is the order of the predicted stars alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from movierec.errors import InputError
from movierec.models.model import Model
from movierec.vectors import Vectors, pair_scores

LIKING = 0.4  # how much liking counts beside watching; from validation rows of ML-1M
EVEN = 3.5  # predicted stars at which a film is liked as well as not
STEEPNESS = 2.1  # of the chance to like a film, a star; fitted on validation rows of ML-1M

Scores = npt.NDArray[np.float32]
Indices = npt.NDArray[np.integer]


class Scorer(NamedTuple):
    """Scores of a model's films."""

    model: Model
    is_film: npt.NDArray[np.bool_]  # (movie rows,) which rows are films; some are free
    lowest: float  # stars that can be given
    highest: float

    def clipped(self, stars: Scores) -> Scores:
        """Predicted stars within those that can be given."""
        return np.clip(stars, self.lowest, self.highest)

    def stars(self, user_idx: Indices, movie_idx: Indices) -> Scores:
        """Predicted ratings of pairs of rows, float32 (n,), clipped to the stars of the data."""
        return self.clipped(pair_scores(self.model.users, self.model.films, user_idx, movie_idx))

    def std(
        self, stars: Scores, movie_idx: Indices, user_term: float | npt.NDArray[np.float32]
    ) -> Scores:
        """Standard deviations of ratings about predicted stars, (n,) by row of the film.

        `user_term` is of the one person, or (n,), see `certainty.Certainty`.
        """
        certainty = self.model.certainty
        return certainty.std(self.clipped(stars), user_term, certainty.films[movie_idx])

    def chance(self, stars: Scores, std: Scores) -> Scores:
        """Chances that a film gets 4 stars or more, float32 (n,), 0 to 1."""
        return self.model.certainty.liked(self.clipped(stars), std)

    def score(
        self,
        vector: Vectors,
        profile: Vectors,
        liking: float | None = None,
        daring: float = 0.0,
        user_term: float = 0.0,
    ) -> tuple[Scores, Scores]:
        """Predicted stars, not clipped, and scores of all films, for one person or several.

        Args:
            vector: (d + q + 2,) or (n, d + q + 2).
            profile: (r + k + 1,) or (n, r + k + 1).
            liking: as in `join_scores`.
            daring: -1 to 1, standard deviations of the one person's ratings that count for a film.
            user_term: see `std`; not looked at where `daring` is 0.

        Returns:
            float32 (movie rows,) each, or (n, movie rows); the free rows included.
        """
        stars, watch = vector @ self.model.films.T, profile @ self.model.watching.watched.T
        if not -1 <= daring <= 1:
            raise InputError(f"got daring {daring}; expected -1 (cautious) to 1 (daring)")
        hoped = stars
        if daring:
            hoped = stars + np.float32(daring) * self.std(stars, np.arange(len(stars)), user_term)
        return stars, join_scores(watch, hoped, liking)

    def scores(self, user_idx: Indices, liking: float | None = None) -> Scores:
        """What films are ordered by for (n,) users of the data; float32 (n, movie rows)."""
        profiles = self.model.watching.profiles[user_idx]
        return self.score(self.model.users[user_idx], profiles, liking)[1]

    def of_film(self, movie_idx: int) -> tuple[Scores, Scores]:
        """Predicted stars, not clipped, and scores of one film for all users; (user rows,) each."""
        stars = self.model.users @ self.model.films[movie_idx]
        watch = self.model.watching.profiles @ self.model.watching.watched[movie_idx]
        return stars, join_scores(watch, stars)


def join_scores(watch: Scores, stars: Scores, liking: float | None = None) -> Scores:
    """How likely films are to be watched and liked: watching^(1 - liking) x chance to like^liking.

    Args:
        watch: scores of the watching half.
        stars: predicted ratings.
        liking: 0 (only watching) to 1 (only liking: the order of the stars); None: `LIKING`.
    """
    share = LIKING if liking is None else liking
    if not 0 <= share <= 1:
        raise InputError(f"got liking {liking}; expected 0 (only watching) to 1 (only liking)")
    # logarithm of the logistic function; `logaddexp` would take most of the time of a list
    like = -np.log1p(np.exp(np.minimum(STEEPNESS * (EVEN - stars), 80)))
    return np.exp((1 - share) * np.log(np.maximum(watch, 1e-6)) + share * like)
