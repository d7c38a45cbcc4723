"""The films and who rated them: found, described, selected by conditions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.features import GENDERS, Features
from movierec.data.tables import AGE_BAND_NAMES, Tables
from movierec.data.titles import find_movies, resolve_movie
from movierec.errors import InputError


class Catalogue:
    """The data of a run, asked by row numbers or ids.

    Seen films are all that a user rates in the tables, held-out rows included: nobody wants to be
    shown a film that they have rated.

    Attributes:
        tables: users, movies and ratings.
        features: their encodings.
        learned: (ratings,) which of the ratings the training was given; the others are held out.
        lowest, highest: stars that were given.
    """

    def __init__(
        self, tables: Tables, features: Features, learned: npt.NDArray[np.bool_] | None = None
    ) -> None:
        self.tables = tables
        self.features = features
        self.learned = np.ones(len(tables.ratings), np.bool_) if learned is None else learned
        self.lowest, self.highest = map(float, tables.ratings["rating"].agg(["min", "max"]))

    def where(
        self,
        genres: Sequence[str] = (),
        without: Sequence[str] = (),
        years: tuple[int | None, int | None] = (None, None),
        ratings: tuple[int | None, int | None] = (None, None),
        allow: Sequence[int] | None = None,
        deny: Sequence[int] = (),
    ) -> npt.NDArray[np.int64]:
        """The ids of the films that meet all conditions, for the argument `among` of the modes.

        Args:
            genres: names, in either case, of which a film has to have at least one; none: any film.
            without: names, of which it may have none.
            years: first and last year; None: open. A film of unknown year meets only (None, None).
            ratings: least and most ratings in the data; None: open.
            allow: movie ids to choose among; None: all.
            deny: movie ids to leave out.

        Raises:
            InputError: an unknown genre or film, or a range whose end is before its start.
        """
        spelt = {name.casefold(): place for place, name in enumerate(self.features.genres) if place}
        if stray := sorted(name for name in {*genres, *without} if name.casefold() not in spelt):
            known = ", ".join(self.features.genres[1:]) or "none, since the data has no genres"
            raise InputError(f"unknown genre {stray[0]!r}; expected some of {known}")
        used = self.features.movies.used
        slots = self.features.movie_fields["genres"][used]

        def has(names: Sequence[str]) -> npt.NDArray[np.bool_]:
            wanted = [spelt[name.casefold()] for name in names]
            return np.any(np.isin(slots, wanted), axis=1)

        for low, high in (years, ratings):
            if low is not None and high is not None and low > high:
                raise InputError(f"got the range {low} to {high}; expected the lower number first")
        met = ~has(without) & (has(genres) if genres else True)
        for value, (low, high) in ((self.features.years, years), (self.rated_counts, ratings)):
            if low is not None:
                met &= value[used] >= low
            if high is not None:
                met &= value[used] <= high
        if allow is not None:
            met &= np.isin(used, self.features.movies.encode(np.asarray(allow)))
        met &= ~np.isin(used, self.features.movies.encode(np.asarray(deny)))
        return self.features.movies.decode(used[met])

    def describe(
        self,
        movie_idx: npt.NDArray[np.integer],
        scores: npt.NDArray[np.float32] | None = None,
        stars: npt.NDArray[np.float32] | None = None,
    ) -> pd.DataFrame:
        """Film rows in words.

        Args:
            movie_idx: (n,) rows of films.
            scores: (n,) for the column `score`.
            stars: (n,) for the column `predicted`, clipped to the stars of the data.

        Returns:
            `movie_id`, `title`, `year`, `genres` and these columns, in the order given.
        """
        place = np.searchsorted(self.features.movies.used, movie_idx)  # the table is in id order
        films = self.tables.movies[["movie_id", "title", "year", "genres"]].iloc[place]
        films = films.reset_index(drop=True)
        if scores is not None:
            films["score"] = scores
        if stars is not None:
            films["predicted"] = np.clip(stars, self.lowest, self.highest)
        return films

    def describe_people(self, user_idx: npt.NDArray[np.integer]) -> pd.DataFrame:
        """User rows in words: `user_id`, and `gender`, `age` (band), `occupation` if known."""
        frame = pd.DataFrame({"user_id": self.features.users.decode(user_idx)})
        if fields := self.features.user_fields:
            frame["gender"] = [GENDERS[code] for code in fields["gender"][user_idx]]
            frame["age"] = [AGE_BAND_NAMES[band] for band in fields["age"][user_idx]]
            frame["occupation"] = [
                self.tables.occupations[code] for code in fields["job"][user_idx]
            ]
        return frame

    def find(self, text: str, k: int = 10) -> pd.DataFrame:
        """The films whose titles come nearest to a text; see `titles.find_movies`."""
        return find_movies(self.tables.movies, text, k)

    def movie_id(self, text: str) -> int:
        """The id of the one film that a text names; see `titles.resolve_movie`."""
        return resolve_movie(self.tables.movies, text)

    def title(self, movie_id: int) -> str:
        """A film's title."""
        return str(self.describe(self.features.movies.encode([movie_id]))["title"].iloc[0])

    def seen(
        self, user_idx: int, learned_only: bool = False
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """The rows of the films that a user has rated, ascending, and the stars given.

        Args:
            user_idx: row of the user.
            learned_only: only the ratings that the training was given.
        """
        movie_idx, stars, learned, starts = self._seen_rows
        part = slice(starts[user_idx], starts[user_idx + 1])
        if learned_only:
            return movie_idx[part][learned[part]], stars[part][learned[part]]
        return movie_idx[part], stars[part]

    def raters(self, movie_idx: int) -> npt.NDArray[np.int32]:
        """The rows of the users who have rated a film, ascending."""
        user_idx, starts = self._raters_rows
        return user_idx[starts[movie_idx] : starts[movie_idx + 1]]

    @cached_property
    def star_values(self) -> list[float]:
        """The stars that can be given, ascending: whole ones, or halves where the data has them."""
        step = 1.0 if np.all(np.mod(self.tables.ratings["rating"], 1) == 0) else 0.5
        every = np.arange(self.lowest, self.highest + step / 2, step)
        return [float(stars) for stars in every]

    @cached_property
    def is_film(self) -> npt.NDArray[np.bool_]:
        """Which rows are films, (movie rows,); some are free."""
        return self.features.movies.ids >= 0

    @cached_property
    def rated_counts(self) -> npt.NDArray[np.int64]:
        """Ratings of each film in the data."""
        movie_idx = self.features.movies.encode(self.tables.ratings["movie_id"])
        return np.bincount(movie_idx, minlength=len(self.features.movies))

    @cached_property
    def _seen_rows(
        self,
    ) -> tuple[
        npt.NDArray[np.int32],
        npt.NDArray[np.float32],
        npt.NDArray[np.bool_],
        npt.NDArray[np.int64],
    ]:
        """Films rated, stars, `learned`; grouped by user row; where each user's group begins."""
        ratings = self.tables.ratings
        user_idx = self.features.users.encode(ratings["user_id"])
        movie_idx = self.features.movies.encode(ratings["movie_id"])
        order = np.argsort(user_idx.astype(np.int64) * len(self.features.movies) + movie_idx)
        counts = np.bincount(user_idx, minlength=len(self.features.users))
        stars = ratings["rating"].to_numpy(dtype=np.float32)
        return (
            movie_idx[order],
            stars[order],
            self.learned[order],
            np.append(0, np.cumsum(counts)),
        )

    @cached_property
    def _raters_rows(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Users grouped by the film that they rated, and where each film's group begins."""
        movie_idx, _, _, starts = self._seen_rows
        user_idx = np.repeat(np.arange(len(starts) - 1, dtype=np.int32), np.diff(starts))
        order = np.argsort(movie_idx, kind="stable")
        return user_idx[order], np.append(0, np.cumsum(self.rated_counts))
