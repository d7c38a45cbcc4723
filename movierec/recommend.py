"""Vectors in, films out: the modes of recommendation, in plain NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.datasets import AGE_BAND_NAMES, Tables
from movierec.errors import InputError
from movierec.features import GENDERS, Features
from movierec.titles import find_movies, resolve_movie
from movierec.vectors import Vectors, pair_scores, top_k, unit_rows

FANS = 20  # people asked in `also_liked`
POOL = 5  # a random draw chooses among this many times k films
BLOCK = 1024  # users scored at once


class Recommender:
    """Recommends films from trained vectors.

    Seen films are all that a user rates in the run's tables, held-out rows included: nobody wants
    to be shown a film that they have rated. Films and people that the data does not rate have
    vectors too, and may be asked for.

    Args:
        tables: users, movies and ratings of the run.
        features: their encodings.
        user_vectors: float32 (user rows, d).
        movie_vectors: float32 (movie rows, d).

    Raises:
        InputError: vectors whose shapes do not fit the features.
    """

    def __init__(
        self, tables: Tables, features: Features, user_vectors: Vectors, movie_vectors: Vectors
    ) -> None:
        for kind, vectors in (("user", user_vectors), ("movie", movie_vectors)):
            rows = len(features.users if kind == "user" else features.movies)
            if vectors.ndim != 2 or len(vectors) != rows:
                raise InputError(
                    f"the {kind} vectors have shape {vectors.shape}; expected ({rows}, d)"
                )
        if user_vectors.shape[1] != movie_vectors.shape[1]:
            raise InputError(
                f"user vectors have {user_vectors.shape[1]} entries and movie vectors "
                f"{movie_vectors.shape[1]}; expected as many of each"
            )
        self.tables = tables
        self.features = features
        self.user_vectors = user_vectors
        self.movie_vectors = movie_vectors
        self.lowest, self.highest = map(float, tables.ratings["rating"].agg(["min", "max"]))

    # --- the modes ---------------------------------------------------------------------------

    def for_user(
        self,
        user_id: int,
        k: int = 10,
        temperature: float = 0.0,
        seed: int | None = None,
        exclude_seen: bool = True,
    ) -> pd.DataFrame:
        """The films that a user would rate highest.

        Args:
            user_id: whom to recommend to.
            k: how many films.
            temperature: 0 gives the plain best; above, films are drawn without repeats from a pool
                of the best, the more adventurously the higher (1 is lively).
            seed: makes a draw repeatable.
            exclude_seen: whether films that the user has rated are left out.

        Returns:
            `movie_id`, `title`, `year`, `genres`, `score` (predicted stars), best first.

        Raises:
            InputError: an unknown user, k below 1, a negative temperature.
        """
        user_idx = int(self.features.users.encode([user_id])[0])
        scores = self.movie_vectors @ self.user_vectors[user_idx]  # (movies, d) @ (d,)
        left_out = self._seen(user_idx) if exclude_seen else np.empty(0, dtype=np.int32)
        chosen = self._choose(scores, left_out, k, temperature, seed)
        return self._films(chosen, self._stars(scores[chosen]))

    def for_users(
        self, user_ids: Sequence[int], k: int = 10, exclude_seen: bool = True
    ) -> pd.DataFrame:
        """The films that each of several users would rate highest.

        Users are scored in blocks: no users x films matrix is built.

        Returns:
            A long frame with `user_id`, `rank` (from 1), `movie_id`, `title`, `year`, `genres`,
            `score`; users in the order given.

        Raises:
            InputError: an unknown user, or k below 1.
        """
        _check_choice(k)
        user_idx = self.features.users.encode(np.atleast_1d(user_ids))
        frames = []
        for a in range(0, max(len(user_idx), 1), BLOCK):
            block = user_idx[a : a + BLOCK]
            scores = self.user_vectors[block] @ self.movie_vectors.T  # (block, movies)
            scores[:, ~self._in_catalogue] = -np.inf
            if exclude_seen:
                for row, user in enumerate(block):
                    scores[row, self._seen(user)] = -np.inf
            best = top_k(scores, k)
            rows, ranks = np.nonzero(best >= 0)
            chosen = best[rows, ranks]
            frame = self._films(chosen, self._stars(scores[rows, chosen]))
            frame.insert(0, "user_id", self.features.users.decode(block[rows]))
            frame.insert(1, "rank", ranks + 1)
            frames.append(frame)
        return pd.concat(frames, ignore_index=True)

    def similar(
        self, movie_id: int, k: int = 10, temperature: float = 0.0, seed: int | None = None
    ) -> pd.DataFrame:
        """The films whose vectors point the same way, without the film itself.

        Args and raises as in `for_user`.

        Returns:
            `movie_id`, `title`, `year`, `genres`, `score` (cosine, -1 to 1), best first.
        """
        movie_idx = int(self.features.movies.encode([movie_id])[0])
        cosines = self._unit_movies @ self._unit_movies[movie_idx]
        chosen = self._choose(cosines, [movie_idx], k, temperature, seed)
        return self._films(chosen, cosines[chosen])

    def also_liked(
        self, movie_id: int, k: int = 10, temperature: float = 0.0, seed: int | None = None
    ) -> pd.DataFrame:
        """What the people who like a film also like.

        The people are those of `people_who_like`; a film's score is the mean of their predicted
        ratings. The film itself is left out.

        Args and raises as in `for_user`.

        Returns:
            `movie_id`, `title`, `year`, `genres`, `score` (stars), best first.
        """
        movie_idx = int(self.features.movies.encode([movie_id])[0])
        fans = self._fans(movie_idx, FANS)
        # clipped before the mean, or one person's 5.9 stars would outweigh another's opinion
        scores = self._stars(self.user_vectors[fans] @ self.movie_vectors.T).mean(axis=0)
        chosen = self._choose(scores, [movie_idx], k, temperature, seed)
        return self._films(chosen, scores[chosen])

    def people_who_like(self, movie_id: int, k: int = FANS) -> pd.DataFrame:
        """The people whose predicted rating of a film is highest.

        Returns:
            `user_id`, then `gender`, `age` (band) and `occupation` in words where the data has
            them, and `score` (predicted stars), best first.

        Raises:
            InputError: an unknown movie, or k below 1.
        """
        _check_choice(k)
        movie_idx = int(self.features.movies.encode([movie_id])[0])
        fans = self._fans(movie_idx, k)
        scores = self.user_vectors[fans] @ self.movie_vectors[movie_idx]
        frame = pd.DataFrame({"user_id": self.features.users.decode(fans)})
        if fields := self.features.user_fields:
            frame["gender"] = [GENDERS[code] for code in fields["gender"][fans]]
            frame["age"] = [AGE_BAND_NAMES[band] for band in fields["age"][fans]]
            frame["occupation"] = [self.tables.occupations[code] for code in fields["job"][fans]]
        return frame.assign(score=self._stars(scores))

    def predict(self, user_ids: npt.ArrayLike, movie_ids: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Predicted ratings of pairs of users and films.

        Args:
            user_ids, movie_ids: (n,) each; a single id is a list of one.

        Returns:
            float32 (n,), clipped to the stars of the data.

        Raises:
            InputError: an unknown user or film, or two lists of different lengths.
        """
        user_idx = self.features.users.encode(np.atleast_1d(user_ids))
        movie_idx = self.features.movies.encode(np.atleast_1d(movie_ids))
        if user_idx.ndim != 1 or user_idx.shape != movie_idx.shape:
            raise InputError(
                f"got users of shape {user_idx.shape} and films of shape {movie_idx.shape}; "
                "expected two lists of the same length"
            )
        pairs = pair_scores(self.user_vectors, self.movie_vectors, user_idx, movie_idx)
        return self._stars(pairs)

    # --- films by name -----------------------------------------------------------------------

    def find(self, text: str, k: int = 10) -> pd.DataFrame:
        """The films whose titles come nearest to a text; see `titles.find_movies`."""
        return find_movies(self.tables.movies, text, k)

    def movie_id(self, text: str) -> int:
        """The id of the one film that a text names; see `titles.resolve_movie`."""
        return resolve_movie(self.tables.movies, text)

    def title(self, movie_id: int) -> str:
        """A film's title."""
        return str(self._films(self.features.movies.encode([movie_id]), 0.0)["title"].iloc[0])

    # --- how ---------------------------------------------------------------------------------

    @cached_property
    def _in_catalogue(self) -> npt.NDArray[np.bool_]:
        return self.features.movies.ids >= 0

    @cached_property
    def _unit_movies(self) -> Vectors:
        return unit_rows(self.movie_vectors)

    @cached_property
    def _seen_rows(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
        """Films rated, grouped by user row, and where each user's group begins."""
        user_idx = self.features.users.encode(self.tables.ratings["user_id"])
        movie_idx = self.features.movies.encode(self.tables.ratings["movie_id"])
        counts = np.bincount(user_idx, minlength=len(self.features.users))
        return movie_idx[np.argsort(user_idx, kind="stable")], np.append(0, np.cumsum(counts))

    def _seen(self, user_idx: int) -> npt.NDArray[np.int32]:
        movie_idx, starts = self._seen_rows
        return movie_idx[starts[user_idx] : starts[user_idx + 1]]

    def _fans(self, movie_idx: int, k: int) -> npt.NDArray[np.int64]:
        scores = self.user_vectors @ self.movie_vectors[movie_idx]
        scores[self.features.users.ids < 0] = -np.inf
        best = top_k(scores[None], k)[0]
        return best[best >= 0]

    def _choose(
        self,
        scores: npt.NDArray[np.float32],
        left_out: npt.NDArray[np.int32] | list[int],
        k: int,
        temperature: float,
        seed: int | None,
    ) -> npt.NDArray[np.int64]:
        """Row numbers of the k best films, or of a draw from the best, best first."""
        _check_choice(k, temperature, seed)
        allowed = np.where(self._in_catalogue, scores, -np.inf)
        allowed[left_out] = -np.inf
        if temperature == 0:
            best = top_k(allowed[None], k)[0]
            return best[best >= 0]
        pool = top_k(allowed[None], k * POOL)[0]
        pool = pool[pool >= 0]
        # the k largest of scores with Gumbel noise are a draw without repeats from their softmax
        # (Kool et al. 2019, section 2.2); the pool's spread makes one temperature fit all modes
        spread = max(float(np.std(allowed[pool], dtype=np.float64)), 1e-6) if len(pool) else 1.0
        noise = np.random.default_rng(seed).gumbel(size=len(pool))
        noisy = allowed[pool] / (spread * temperature) + noise
        return pool[np.sort(np.argsort(-noisy)[:k])]

    def _stars(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.clip(scores, self.lowest, self.highest)

    def _films(
        self, movie_idx: npt.NDArray[np.integer], scores: npt.NDArray[np.float32] | float
    ) -> pd.DataFrame:
        place = np.searchsorted(self.features.movies.used, movie_idx)  # the table is in id order
        films = self.tables.movies[["movie_id", "title", "year", "genres"]].iloc[place]
        return films.assign(score=scores).reset_index(drop=True)


def _check_choice(k: int, temperature: float = 0.0, seed: int | None = None) -> None:
    if k != int(k) or k < 1:
        raise InputError(f"got k = {k}; expected a whole number of films, 1 or more")
    if not 0 <= temperature < np.inf:
        raise InputError(f"got temperature {temperature}; expected 0 (the plain best) or more")
    if seed is not None and seed < 0:
        raise InputError(f"got seed {seed}; expected 0 or more, or none")
