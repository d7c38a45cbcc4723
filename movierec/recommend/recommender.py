"""Vectors in, films out: the modes of recommendation, in plain NumPy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from movierec.data.attributes import attribute_counts
from movierec.data.features import GENDERS, Features
from movierec.data.tables import AGE_BAND_NAMES, Tables
from movierec.data.titles import find_movies, resolve_movie
from movierec.errors import InputError
from movierec.models.newcomers import SIZES, Newcomers, new_user
from movierec.models.watching import Watching, star_weights
from movierec.recommend.choosing import check_choice, choose
from movierec.recommend.people import Person, told_attributes
from movierec.recommend.reasons import because, explain, shared
from movierec.recommend.resemblance import KNOWN, near_vectors, title_rows
from movierec.vectors import Vectors, pair_scores, top_k

FANS = 20  # people asked in `also_liked`
BLOCK = 256  # users scored at once: with a few thousand films their scores stay in the cache
LIKING = 0.4  # how much liking counts beside watching; from validation rows of ML-1M
FANS_LIKING = 0.2  # the same in `also_liked`, where it is what goes with a film that counts
EVEN = 3.5  # predicted stars at which a film is liked as well as not
STEEPNESS = 2.1  # of the chance to like a film, a star; fitted on validation rows of ML-1M
POPULAR = 0.003  # weight of a film's popularity where a history is short
SHORT = 20.0  # ratings at which that weight has halved


class Recommender:
    """Recommends films from trained vectors.

    Seen films are all that a user rates in the run's tables, held-out rows included: nobody wants
    to be shown a film that they have rated. Films and people that the data does not rate have
    vectors too, and may be asked for.

    Where the run knows what is watched together (recipe `best`), films are ordered by how likely a
    person is to watch them and to like them; elsewhere by the predicted rating alone.

    Args:
        tables: users, movies and ratings of the run.
        features: their encodings.
        user_vectors: float32 (user rows, d).
        movie_vectors: float32 (movie rows, d).
        newcomers: what gives new users and new films their vectors; None: they cannot be served.
        watching: vectors that know what is watched together, or None.
        learned: (ratings,) which of the ratings the vectors were trained on; None: all.

    Raises:
        InputError: vectors whose shapes do not fit the features.
    """

    def __init__(
        self,
        tables: Tables,
        features: Features,
        user_vectors: Vectors,
        movie_vectors: Vectors,
        newcomers: Newcomers | None = None,
        watching: Watching | None = None,
        learned: npt.NDArray[np.bool_] | None = None,
    ) -> None:
        users, movies = len(features.users), len(features.movies)
        expected = {"user vectors": (user_vectors, users), "movie vectors": (movie_vectors, movies)}
        if watching:
            expected["users' profiles"] = (watching.users, users)
            expected["films' profiles"] = (watching.movies, movies)
        if newcomers:
            expected["users' rest"] = (newcomers.user_rest, users)
            expected["films' rest"] = (newcomers.movie_rest, movies)
        for kind, (vectors, rows) in expected.items():
            if vectors.ndim != 2 or len(vectors) != rows:
                raise InputError(f"the {kind} have shape {vectors.shape}; expected ({rows}, d)")
        if user_vectors.shape[1] != movie_vectors.shape[1]:
            raise InputError(
                f"user vectors have {user_vectors.shape[1]} entries and movie vectors "
                f"{movie_vectors.shape[1]}; expected as many of each"
            )
        _check_shapes(features, user_vectors.shape[1], newcomers, watching)
        self.tables = tables
        self.features = features
        self.user_vectors = user_vectors
        self.movie_vectors = movie_vectors
        self.newcomers = newcomers
        self.watching = watching
        self.learned = np.ones(len(tables.ratings), np.bool_) if learned is None else learned
        self.lowest, self.highest = map(float, tables.ratings["rating"].agg(["min", "max"]))

    # --- who ---------------------------------------------------------------------------------

    def person(self, user_id: int) -> Person:
        """A user of the data as a `Person`.

        Raises:
            InputError: an unknown user.
        """
        user_idx = int(self.features.users.encode([user_id])[0])
        rated, stars = self.seen(user_idx)
        return Person(
            f"user {user_id}",
            self.people[user_idx],
            rated,
            stars,
            None if self.watching is None else self.watching.users[user_idx],
            float(self._popular[user_idx]) if self.watching else 0.0,
            user_idx=user_idx,
        )

    def new_user(
        self,
        ratings: Mapping[int, float] | None = None,
        gender: str | None = None,
        age: int | None = None,
        occupation: int | None = None,
    ) -> Person:
        """Somebody who is not in the data, from as much or as little as they tell.

        Nothing is trained: the result is exact, does not depend on the order of the ratings, and
        takes milliseconds.

        Args:
            ratings: stars by movie id.
            gender: "F" or "M".
            age: in years.
            occupation: code, from 0.

        Raises:
            InputError: an unknown film, stars out of the data's range, a gender, age or occupation
                that the data does not know, or a run that was not made for newcomers.

        Example:
            >>> me = rec.new_user({260: 5, 1: 4}, gender="F", age=25)
            >>> rec.for_user(me, k=5)
        """
        given = dict(ratings or {})
        rated = self.features.movies.encode(np.array(list(given)))
        stars = np.array(list(given.values()), dtype=np.float32)
        order = np.argsort(rated)  # sums of floats depend on their order: the result shall not
        rated, stars = rated[order], stars[order]
        stray = stars[~((stars >= self.lowest) & (stars <= self.highest))]
        if len(stray):
            raise InputError(
                f"got a rating of {stray[0]:g}; expected {self.lowest:g} to {self.highest:g} stars"
            )
        attributes = told_attributes(self.features, gender, age, occupation)
        newcomers = self.need_newcomers()
        found = new_user(newcomers, self.movie_vectors, attributes, rated, stars)
        profile, popular = None, 0.0
        if self.watching:
            profile = star_weights(stars) @ self.watching.movies[rated]
            popular = POPULAR * SHORT / (SHORT + len(rated))
        return Person("you", found.vector, rated, stars, profile, popular, found.base, found.parts)

    # --- the modes ---------------------------------------------------------------------------

    def for_user(
        self,
        user: int | Person,
        k: int = 10,
        temperature: float = 0.0,
        seed: int | None = None,
        exclude_seen: bool = True,
        *,
        liking: float | None = None,
        variety: float = 0.0,
        among: npt.ArrayLike | None = None,
    ) -> pd.DataFrame:
        """The films for a user.

        Args:
            user: the id of a user of the data, or a `Person`, such as `new_user` gives.
            k: how many films.
            temperature: 0 gives the plain best; above, films are drawn without repeats from a pool
                of the best, the more adventurously the higher (1 is lively).
            seed: makes a draw repeatable.
            exclude_seen: whether films that the user has rated are left out.
            liking: 0 to 1, how much liking a film counts beside watching it; 1 is the order of the
                predicted ratings. None: the run's own balance, which without vectors of watching
                is 1 and nothing else.
            variety: 0 to 1, how much it counts against a film that it resembles those before it.
            among: movie ids to choose among, such as `where` gives; None: all.

        Returns:
            `movie_id`, `title`, `year`, `genres` and `score` (what the films are ordered by), best
            first; a varied list stands in the order in which its films were chosen. Without vectors
            of watching the score is the predicted stars; with them, these stand in a column
            `predicted`.

        Raises:
            InputError: an unknown user or film, or a setting out of range.
        """
        someone = self._someone(user)
        taste, scores = self._scored(someone, liking)
        allowed = self._allowed(scores, among, someone.rated if exclude_seen else None)
        chosen = choose(allowed, k, temperature, seed, variety, self.near)
        return self.describe(chosen, self.shown(scores[chosen]), taste[chosen])

    def for_new_user(
        self,
        ratings: Mapping[int, float] | None = None,
        gender: str | None = None,
        age: int | None = None,
        occupation: int | None = None,
        k: int = 10,
        **settings: Any,
    ) -> pd.DataFrame:
        """The films for somebody who is not in the data: `for_user` of `new_user`.

        Args:
            ratings, gender, age, occupation: see `new_user`.
            k, settings: see `for_user`.

        Returns:
            As `for_user`.

        Raises:
            InputError: as both.
        """
        return self.for_user(self.new_user(ratings, gender, age, occupation), k, **settings)

    def for_group(
        self,
        users: Sequence[int | Person],
        k: int = 10,
        how: str = "least misery",
        *,
        liking: float | None = None,
        variety: float = 0.0,
        among: npt.ArrayLike | None = None,
    ) -> pd.DataFrame:
        """Films for several people at once; none that one of them has rated.

        Args:
            users: ids or persons.
            k: how many films.
            how: "least misery": a film is as good as for the one who likes it least; "mean".
            liking, variety, among: as in `for_user`.

        Returns:
            As `for_user`; `score` is relative to each person's best film, 1 at most, and
            `predicted` the lowest or the mean of the predicted stars.

        Raises:
            InputError: nobody, an unknown user or film, or a setting out of range.

        Reference:
            Masthoff (2015), Group Recommender Systems, section 4.
        """
        if how not in ("least misery", "mean") or not len(users):
            raise InputError(
                f"got {len(users)} users and how={how!r}; expected at least one user, and one of "
                "least misery, mean"
            )
        join = np.min if how == "least misery" else np.mean
        people = [self._someone(user) for user in users]
        tastes, scores = zip(*(self._scored(person, liking) for person in people), strict=True)
        relative = [score / score[self._in_catalogue].max() for score in scores]
        joined = join(relative, axis=0)
        rated = np.concatenate([person.rated for person in people])
        chosen = choose(self._allowed(joined, among, rated), k, 0.0, None, variety, self.near)
        stars = join(self._stars(np.stack(tastes)), axis=0)
        return self.describe(chosen, joined[chosen], stars[chosen])

    def for_users(
        self, user_ids: Sequence[int], k: int = 10, exclude_seen: bool = True
    ) -> pd.DataFrame:
        """The films for each of several users.

        Users are scored in blocks: no users x films matrix is built.

        Returns:
            A long frame with `user_id`, `rank` (from 1), and the columns of `for_user`; users in
            the order given.

        Raises:
            InputError: an unknown user, or k below 1.
        """
        check_choice(k)
        user_idx = self.features.users.encode(np.atleast_1d(user_ids))
        best, scores = self.top(user_idx, k, exclude_seen)
        rows, ranks = np.nonzero(best >= 0)
        chosen = best[rows, ranks]
        stars = self.stars(user_idx[rows], chosen)
        frame = self.describe(chosen, self.shown(scores[rows, ranks]), stars)
        frame.insert(0, "user_id", self.features.users.decode(user_idx[rows]))
        frame.insert(1, "rank", ranks + 1)
        return frame

    def similar(
        self,
        movie_id: int,
        k: int = 10,
        temperature: float = 0.0,
        seed: int | None = None,
        *,
        variety: float = 0.0,
        among: npt.ArrayLike | None = None,
    ) -> pd.DataFrame:
        """The films whose vectors point the same way, without the film itself.

        With vectors of watching, films are alike that are watched by the same people, and a little
        those that share genres, years or words of the title.

        Args and raises as in `for_user`.

        Returns:
            `movie_id`, `title`, `year`, `genres`, `score` (likeness: 1 for the same at most), as
            in `for_user`; without vectors of watching it is the cosine.
        """
        movie_idx = int(self.features.movies.encode([movie_id])[0])
        cosines = self.likeness(movie_idx)
        allowed = self._allowed(cosines, among, np.array([movie_idx]))
        chosen = choose(allowed, k, temperature, seed, variety, self.near)
        return self.describe(chosen, cosines[chosen])

    def also_liked(
        self,
        movie_id: int,
        k: int = 10,
        temperature: float = 0.0,
        seed: int | None = None,
        *,
        variety: float = 0.0,
        among: npt.ArrayLike | None = None,
    ) -> pd.DataFrame:
        """What the people who like a film also like.

        The people are those of `people_who_like`, and a film's score is the mean of their predicted
        ratings. With vectors of watching it weighs how likely a film is to be watched by somebody
        of whom only this film is known, and how much these people would like it: what everybody
        likes would stand on top of every list otherwise. The film itself is left out.

        Args and raises as in `for_user`.

        Returns:
            As `for_user`; `predicted` is the mean of their predicted stars.
        """
        movie_idx = int(self.features.movies.encode([movie_id])[0])
        fans = self._fans(movie_idx, FANS)
        # clipped before the mean, or one person's 5.9 stars would outweigh another's opinion
        stars = self._stars(self.people[fans] @ self.films.T).mean(axis=0)
        scores = stars
        if self.watching:
            watch = self._watch_to @ self.watching.movies[movie_idx]
            scores = join_scores(watch, stars, FANS_LIKING)
        allowed = self._allowed(scores, among, np.array([movie_idx]))
        chosen = choose(allowed, k, temperature, seed, variety, self.near)
        return self.describe(chosen, scores[chosen], stars[chosen])

    def people_who_like(self, movie_id: int, k: int = FANS) -> pd.DataFrame:
        """The people for whom a film's score is highest.

        Returns:
            `user_id`, then `gender`, `age` (band) and `occupation` in words where the data has
            them, `score` and `predicted` (stars) as in `for_user`, best first.

        Raises:
            InputError: an unknown movie, or k below 1.
        """
        check_choice(k)
        movie_idx = int(self.features.movies.encode([movie_id])[0])
        fans = self._fans(movie_idx, k)
        frame = pd.DataFrame({"user_id": self.features.users.decode(fans)})
        if fields := self.features.user_fields:
            frame["gender"] = [GENDERS[code] for code in fields["gender"][fans]]
            frame["age"] = [AGE_BAND_NAMES[band] for band in fields["age"][fans]]
            frame["occupation"] = [self.tables.occupations[code] for code in fields["job"][fans]]
        stars = self.people[fans] @ self.films[movie_idx]
        scores = self._for_one_film(movie_idx)[fans]
        frame["score"] = self.shown(scores)
        return frame.assign(predicted=self._stars(stars)) if self.watching else frame

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
        return self.stars(user_idx, movie_idx)

    def predict_for(self, person: Person, movie_ids: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """Predicted ratings of one person, who may be new.

        Args:
            person: from `new_user` or `person`.
            movie_ids: (n,).

        Returns:
            float32 (n,), clipped to the stars of the data.

        Raises:
            InputError: an unknown film.
        """
        movie_idx = self.features.movies.encode(np.atleast_1d(movie_ids))
        return self._stars(self.films[movie_idx] @ person.vector)

    # --- why ---------------------------------------------------------------------------------

    def explain(self, user: int | Person, movie_id: int) -> pd.DataFrame:
        """Which of a person's rated films speak for a film and against it, and how much.

        Args:
            user: the id of a user of the data, or a `Person`.
            movie_id: the film.

        Returns:
            A row a rated film: `movie_id`, `title`, `rating` (stars given), `stars` (what it adds
            to the predicted rating) and, with vectors of watching, `watching` (what it adds to how
            likely the film is to be watched), the largest first. Before them, without an id, what
            is there without ratings, and for a user of the data what the training knows beyond
            these. The column `stars` adds up to the predicted rating before it is clipped.

        Raises:
            InputError: an unknown user or film, or a run that was not made for newcomers.

        Of a user of the data only the ratings count that the training has seen.
        """
        return explain(self, self._someone(user), movie_id)

    def because(self, user: int | Person, movie_id: int, count: int = 2) -> str:
        """`explain` in words: the films that speak most for a film, and the one most against it.

        Where the run knows what is watched together, what speaks for a film is what makes it likely
        to be watched, of films that got the middle of the scale or more.

        Args:
            user, movie_id: as in `explain`.
            count: how many films are named that speak for it.

        Returns:
            A phrase such as "because you gave Alien (1979) 5 stars, though Heat (1995) 2 stars";
            empty where nothing that was rated speaks for the film or against it.
        """
        return because(self, self._someone(user), [movie_id], count)[0]

    def because_each(
        self, user: int | Person, movie_ids: npt.ArrayLike, count: int = 2
    ) -> list[str]:
        """`because` of several films; the person's part of the work is done once.

        Args:
            user, count: as in `because`.
            movie_ids: (n,) the films.

        Returns:
            n phrases.

        Raises:
            InputError: as in `explain`.
        """
        return because(self, self._someone(user), movie_ids, count)

    def shared(self, movie_id: int, other_id: int) -> dict[str, Any]:
        """What two films have in common.

        Returns:
            `likeness` (as in `similar`), `raters` (who rated both), `expected` (how many that would
            be if the raters of one were any people), `genres` and `words` of the title that both
            have.

        Raises:
            InputError: an unknown film.
        """
        return shared(self, movie_id, other_id)

    # --- films -------------------------------------------------------------------------------

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
            stars: (n,) for the column `predicted`, where the run has vectors of watching.

        Returns:
            `movie_id`, `title`, `year`, `genres` and these columns, in the order given.
        """
        place = np.searchsorted(self.features.movies.used, movie_idx)  # the table is in id order
        films = self.tables.movies[["movie_id", "title", "year", "genres"]].iloc[place]
        films = films.reset_index(drop=True)
        if scores is not None:
            films["score"] = scores
        if stars is not None and self.watching:
            films["predicted"] = self._stars(stars)
        return films

    def find(self, text: str, k: int = 10) -> pd.DataFrame:
        """The films whose titles come nearest to a text; see `titles.find_movies`."""
        return find_movies(self.tables.movies, text, k)

    def movie_id(self, text: str) -> int:
        """The id of the one film that a text names; see `titles.resolve_movie`."""
        return resolve_movie(self.tables.movies, text)

    def title(self, movie_id: int) -> str:
        """A film's title."""
        return str(self.describe(self.features.movies.encode([movie_id]))["title"].iloc[0])

    def add_movies(self, movies: pd.DataFrame) -> Recommender:
        """Add films that the training has not seen; lists and neighbours have them at once.

        Nothing is trained: a film is taken for what its genres and its year say. The run folder
        stays as it is.

        Args:
            movies: `title` and `genres` ("Animation|Comedy"); `movie_id`, else the films get the
                next free ones; `year`, else it is read from the title.

        Returns:
            This recommender, which now has the films.

        Raises:
            InputError: a column that is missing, an id that is taken or doubled, a genre that the
                data does not know, or a run that was not made for newcomers.

        Example:
            >>> rec.add_movies(pd.DataFrame({"title": ["Up (2009)"], "genres": ["Animation"]}))
        """
        from movierec.recommend.growing import with_movies  # here: it makes recommenders

        return self._become(with_movies(self, movies))

    def add_ratings(self, ratings: pd.DataFrame, users: pd.DataFrame | None = None) -> Recommender:
        """Add ratings that the training has not seen, of users of the data or of new ones.

        Nothing is trained: the users' vectors move as Bayes' rule says, films keep theirs. The run
        folder stays as it is.

        Args:
            ratings: `user_id`, `movie_id`, `rating`, and if known `timestamp`; pairs that have no
                rating yet.
            users: `user_id` of users who are not in the data yet, with `gender`, `age` and
                `occupation` where the data has them.

        Returns:
            This recommender, which now knows the ratings.

        Raises:
            InputError: an unknown user or film, a pair that is rated already, stars that the data
                does not have, or a run that was not made for newcomers.
        """
        from movierec.recommend.growing import with_ratings

        return self._become(with_ratings(self, ratings, users))

    # --- by row number -----------------------------------------------------------------------

    def stars(
        self, user_idx: npt.NDArray[np.integer], movie_idx: npt.NDArray[np.integer]
    ) -> npt.NDArray[np.float32]:
        """Predicted ratings of pairs of rows, float32 (n,), clipped to the stars of the data."""
        return self._stars(pair_scores(self.people, self.films, user_idx, movie_idx))

    def scores(
        self, user_idx: npt.NDArray[np.integer], liking: float | None = None
    ) -> npt.NDArray[np.float32]:
        """What films are ordered by for each user.

        Args:
            user_idx: (n,) user rows.
            liking: as in `for_user`.

        Returns:
            float32 (n, movie rows), the free rows included.
        """
        taste = self.people[user_idx] @ self.films.T
        if self.watching is None:
            check_no_liking(liking)
            return taste
        watch = self.watching.users[user_idx] @ self._watch_to.T
        unheard = self._popular[user_idx] > 0
        watch[unheard] += POPULAR * self.watching.liked
        return join_scores(watch, taste, liking)

    def seen(
        self, user_idx: int, learned_only: bool = False
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """The rows of the films that a user has rated, ascending, and the stars given.

        Args:
            user_idx: row of the user.
            learned_only: only the ratings that the vectors were trained on.
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

    def top(
        self,
        user_idx: npt.NDArray[np.integer],
        k: int = 10,
        exclude_seen: bool = True,
        liking: float | None = None,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
        """The best films of each user as arrays: what `for_users` tells in words.

        Users are scored in blocks: no users x films matrix is built.

        Args:
            user_idx: (n,) user rows.
            k, exclude_seen, liking: as in `for_user`.

        Returns:
            int64 (n, k) film rows, best first, -1 where there are fewer films; float32 (n, k) what
            they are ordered by, -inf there.
        """
        k = min(k, len(self.features.movies))
        best = np.empty((len(user_idx), k), dtype=np.int64)
        values = np.empty((len(user_idx), k), dtype=np.float32)
        for a in range(0, len(user_idx), BLOCK):
            block = slice(a, a + BLOCK)
            scores = self.scores(user_idx[block], liking)
            scores[:, self._free] = -np.inf
            if exclude_seen:
                for row, user in zip(scores, user_idx[block], strict=True):
                    row[self.seen(user)[0]] = -np.inf
            best[block] = top_k(scores, k)
            values[block] = scores[np.arange(len(scores))[:, None], best[block]]
        values[best < 0] = -np.inf
        return best, values

    def shown(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Scores as people read them: predicted ratings as stars of the data."""
        return self._stars(scores) if self.watching is None else scores

    # --- how ---------------------------------------------------------------------------------

    def _someone(self, user: int | Person) -> Person:
        return user if isinstance(user, Person) else self.person(user)

    def _become(self, other: Recommender) -> Recommender:
        """Take over everything of another recommender, what is computed once included."""
        self.__dict__ = other.__dict__
        return self

    @cached_property
    def star_values(self) -> list[float]:
        """The stars that can be given, ascending: whole ones, or halves where the data has them."""
        step = 1.0 if np.all(np.mod(self.tables.ratings["rating"], 1) == 0) else 0.5
        every = np.arange(self.lowest, self.highest + step / 2, step)
        return [float(stars) for stars in every]

    @cached_property
    def people(self) -> Vectors:
        """Users' vectors with the rest (see `newcomers`), float32 (user rows, d + 2).

        Their products with `films` are the predicted ratings, before these are clipped.
        """
        if self.newcomers is None:
            return self.user_vectors
        return np.concatenate([self.user_vectors, self.newcomers.user_rest], axis=1)

    @cached_property
    def films(self) -> Vectors:
        """Films' vectors with the rest (see `newcomers`), float32 (movie rows, d + 2)."""
        if self.newcomers is None:
            return self.movie_vectors
        return np.concatenate([self.movie_vectors, self.newcomers.movie_rest], axis=1)

    @cached_property
    def profiles(self) -> Vectors:
        """What users watch, and the weight of popularity; float32 (user rows, r + 1).

        Their products with `watched` say how likely films are to be watched. Only with `watching`.
        """
        assert self.watching is not None
        return np.column_stack([self.watching.users, self._popular])

    @cached_property
    def watched(self) -> Vectors:
        """What films are watched with, and their popularity; float32 (movie rows, r + 1)."""
        assert self.watching is not None
        return np.column_stack([self._watch_to, self.watching.liked])

    @cached_property
    def _watch_to(self) -> Vectors:
        """What a profile is multiplied with to say how likely each film is to be watched."""
        assert self.watching is not None
        return self.watching.movies / self.watching.own[:, None]

    @cached_property
    def _popular(self) -> npt.NDArray[np.float32]:
        """Weight of popularity for each user, above 0 without a history; (user rows,)."""
        assert self.watching is not None
        return np.where(self.watching.users.any(axis=1), 0, POPULAR).astype(np.float32)

    @cached_property
    def near(self) -> Vectors:
        """Films' vectors as they are compared with each other, of length 1 or less."""
        return near_vectors(self.features, self.movie_vectors, self.watching)

    @cached_property
    def _titles(self) -> sparse.csr_array:
        return title_rows(self.features)

    def likeness(self, movie_idx: int) -> npt.NDArray[np.float32]:
        """How alike a film and every other are, float32 (movie rows,), 1 for the same at most."""
        likeness = self.near @ self.near[movie_idx]
        if self.watching is None:
            return likeness
        return likeness + KNOWN * (self._titles @ self._titles[movie_idx])

    @cached_property
    def _in_catalogue(self) -> npt.NDArray[np.bool_]:
        return self.features.movies.ids >= 0

    @cached_property
    def _free(self) -> npt.NDArray[np.int64]:
        """The rows that are no films."""
        return np.flatnonzero(~self._in_catalogue)

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

    def need_newcomers(self) -> Newcomers:
        if self.newcomers is None:
            raise InputError("this recommender was made without newcomers; train the run again")
        return self.newcomers

    def _scored(
        self, person: Person, liking: float | None
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Predicted ratings, not clipped, and what films are ordered by; (movie rows,) each."""
        taste = self.films @ person.vector
        if self.watching is None or person.profile is None:
            check_no_liking(liking)
            return taste, taste
        watch = self._watch_to @ person.profile + person.popular * self.watching.liked
        return taste, join_scores(watch, taste, liking)

    def _for_one_film(self, movie_idx: int) -> npt.NDArray[np.float32]:
        """What a film's score is for every user, (user rows,)."""
        taste = self.people @ self.films[movie_idx]
        if self.watching is None:
            return taste
        watch = self.watching.users @ self._watch_to[movie_idx]
        return join_scores(watch + self._popular * self.watching.liked[movie_idx], taste)

    def _fans(self, movie_idx: int, k: int) -> npt.NDArray[np.int64]:
        scores = self._for_one_film(movie_idx)
        scores[self.features.users.ids < 0] = -np.inf
        best = top_k(scores[None], k)[0]
        return best[best >= 0]

    def _allowed(
        self,
        scores: npt.NDArray[np.float32],
        among: npt.ArrayLike | None,
        left_out: npt.NDArray[np.integer] | None,
    ) -> npt.NDArray[np.float32]:
        """The scores of the films that may be chosen, -inf elsewhere."""
        allowed = np.where(self._in_catalogue, scores, -np.inf)
        if among is not None:
            kept = self.features.movies.encode(np.atleast_1d(among))
            allowed[np.setdiff1d(np.arange(len(allowed)), kept)] = -np.inf
        if left_out is not None:
            allowed[left_out] = -np.inf
        return allowed

    def _stars(self, scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        return np.clip(scores, self.lowest, self.highest)


def join_scores(
    watch: npt.NDArray[np.float32], taste: npt.NDArray[np.float32], liking: float | None = None
) -> npt.NDArray[np.float32]:
    """How likely films are to be watched and liked: watching^(1 - liking) x chance to like^liking.

    Args:
        watch: scores of the linear item model.
        taste: predicted ratings.
        liking: 0 to 1; None: `LIKING`.
    """
    share = LIKING if liking is None else liking
    if not 0 <= share <= 1:
        raise InputError(f"got liking {liking}; expected 0 (only watching) to 1 (only liking)")
    # logarithm of the logistic function; `logaddexp` would take most of the time of a list
    like = -np.log1p(np.exp(np.minimum(STEEPNESS * (EVEN - taste), 80)))
    return np.exp((1 - share) * np.log(np.maximum(watch, 1e-6)) + share * like)


def check_no_liking(liking: float | None) -> None:
    """Refuse a balance where there is only liking to go by."""
    if liking not in (None, 1):
        raise InputError(
            f"got liking {liking}, but the run knows only what is liked, not what is watched; "
            "leave it out, or use a run of recipe best"
        )


def _check_shapes(
    features: Features, size: int, newcomers: Newcomers | None, watching: Watching | None
) -> None:
    """Refuse arrays of which one cannot be used with the others; `size` is that of a vector."""
    movies = len(features.movies)
    people, films = attribute_counts(features)
    expected: dict[str, tuple[npt.NDArray[Any], tuple[int, ...]]] = {}
    if newcomers:
        rows = len(SIZES)
        expected = {
            "users' center": (newcomers.center, (size,)),
            "users' tower": (newcomers.tower, (movies + people + 2, size)),
            "covariances": (newcomers.covariance, (rows, size, size)),
            "noise": (newcomers.noise, (1,)),
            "users' rest": (newcomers.user_rest, (len(features.users), 2)),
            "films' rest": (newcomers.movie_rest, (movies, 2)),
            "films' center": (newcomers.movie_center, (size,)),
            "films' tower": (newcomers.movie_tower, (films, size)),
        }
    if watching:
        rank = watching.users.shape[1]
        expected |= {
            "films' profiles": (watching.movies, (movies, rank)),
            "films' own weights": (watching.own, (movies,)),
            "films' neighbours": (watching.near, (movies, rank)),
            "films' likes": (watching.liked, (movies,)),
        }
    for kind, (array, shape) in expected.items():
        if array.shape != shape:
            raise InputError(f"the {kind} have shape {array.shape}; expected {shape}")
