"""Vectors in, films out: the modes of recommendation, in plain NumPy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import Any, Literal, Unpack, overload

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.data.features import Features
from movierec.data.tables import Tables
from movierec.errors import InputError
from movierec.models.model import Model, check_model, new_user_term
from movierec.models.newcomers import new_user
from movierec.models.watching import profile_of
from movierec.recommend.catalogue import FEW, Catalogue
from movierec.recommend.choosing import Choice, check_choice, choose
from movierec.recommend.growing import with_movies, with_ratings
from movierec.recommend.people import Person, told_attributes
from movierec.recommend.reasons import named_of, parts_of
from movierec.recommend.resemblance import Resemblance
from movierec.recommend.scorer import Scorer, Scores, join_scores
from movierec.vectors import top_k, top_lists

FANS = 20  # people asked in `also_liked`
FANS_LIKING = 0.2  # of `scorer.LIKING` there, where it is what goes with a film that counts


class Recommender(Catalogue):
    """Recommends films from a trained model.

    Films are ordered by how likely a person is to watch them and to like them. Films and people
    that the data does not rate have vectors too, and may be asked for. An id that is unknown, a
    setting out of range, or a table that does not fit is an `InputError` in every method.

    Args:
        tables: users, movies and ratings of the run.
        features: their encodings.
        model: the two halves, and what newcomers' vectors come from.
        learned: which of the (ratings,) the training was given, or what finds them; None: all.
        stars: the lowest and the highest that were given; None: those of the tables.
        rated_by: gives `movie_id`, `rating` and `learned` of one user's ratings, by the user's id,
            where that takes less than all of the tables' ratings; None: it does not.

    Raises:
        InputError: a model whose shapes do not fit the features.
    """

    def __init__(
        self,
        tables: Tables,
        features: Features,
        model: Model,
        learned: npt.NDArray[np.bool_] | Callable[[], npt.NDArray[np.bool_]] | None = None,
        stars: tuple[float, float] | None = None,
        rated_by: Callable[[int], pd.DataFrame] | None = None,
    ) -> None:
        check_model(model, features)
        super().__init__(tables, features, learned, stars, rated_by)
        self.model = model
        self.scorer = Scorer(model, self.is_film, self.lowest, self.highest)

    def person(self, user_id: int) -> Person:
        """A user of the data as a `Person`."""
        user_idx = int(self.features.users.encode([user_id])[0])
        rated, stars = self.seen(user_idx)
        rows = self.model.users[user_idx], self.model.watching.profiles[user_idx]
        term = float(self.model.certainty.users[user_idx])
        return Person(f"user {user_id}", *rows, rated, stars, term, user_idx=user_idx)

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
            gender, age, occupation: "F" or "M", years, and a code from 0; None: not told.

        Example:
            >>> me = rec.new_user({260: 5, 1: 4}, gender="F", age=25)
            >>> rec.for_user(me, k=5)
        """
        given = dict(ratings or {})
        rated = self.features.movies.encode(np.array(list(given)))
        stars = np.array(list(given.values()), dtype=np.float32)
        order = np.argsort(rated)  # sums of floats depend on their order: the result shall not
        rated, stars = rated[order], stars[order]
        self.check_stars(stars)
        attributes = told_attributes(self.features, gender, age, occupation)
        found = new_user(self.model.newcomers, self.model.films, attributes, rated, stars)
        profile = profile_of(self.model.watching, rated, stars)
        term = new_user_term(self.model, rated)
        return Person("you", found.vector, profile, rated, stars, term, found)

    def for_user(
        self,
        user: int | Person,
        k: int = 10,
        temperature: float = 0.0,
        seed: int | None = None,
        exclude_seen: bool = True,
        *,
        liking: float | None = None,
        daring: float = 0.0,
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
                predicted ratings, as the source document has it. None: `scorer.LIKING`.
            daring: -1 to 1. Below 0, a film is as good as it is if it disappoints, by so many
                standard deviations; above 0, if it surprises.
            variety: 0 to 1, how much it counts against a film that it resembles those before it.
            among: movie ids to choose among, such as `where` gives; None: all.

        Returns:
            `movie_id`, `title`, `year`, `genres`, `score` (what the films are ordered by),
            `predicted` (stars), `std` (standard deviation of the rating about it) and `chance` (of
            4 stars or more), best first; a varied list stands in the order in which its films were
            chosen.
        """
        someone = self._someone(user)
        halves = someone.vector, someone.profile
        stars, scores = self.scorer.score(*halves, liking, daring, someone.user_term)
        left_out = someone.rated if exclude_seen else someone.rated[:0]
        chosen = self.chosen(scores, left_out, k, temperature, seed, variety, among)
        std = self.scorer.std(stars[chosen], chosen, someone.user_term)
        films = self.describe(chosen, scores[chosen], stars[chosen])
        return films.assign(std=std, chance=self.scorer.chance(stars[chosen], std))

    def for_group(
        self,
        users: Sequence[int | Person],
        k: int = 10,
        how: str = "least misery",
        *,
        liking: float | None = None,
        **choice: Unpack[Choice],
    ) -> pd.DataFrame:
        """Films for several people at once; none that one of them has rated.

        Args:
            users: ids or persons.
            k: how many films.
            how: "least misery": a film is as good as for the one who likes it least; "mean".
            liking, choice: as in `for_user`.

        Returns:
            As `for_user`; `score` is relative to each person's best film, 1 at most, and
            `predicted` the lowest or the mean of the predicted stars.

        Reference:
            Masthoff (2015), Group Recommender Systems, section 4.
        """
        if how not in ("least misery", "mean") or not len(users):
            raise InputError(
                f"got {len(users)} users and how={how!r}; expected at least one user, and one of "
                "least misery, mean"
            )
        join: Any = np.min if how == "least misery" else np.mean
        people = [self._someone(user) for user in users]
        vectors = np.stack([person.vector for person in people])
        profiles = np.stack([person.profile for person in people])
        stars, scores = self.scorer.score(vectors, profiles, liking)
        joined = join(scores / scores[:, self.is_film].max(axis=1, keepdims=True), axis=0)
        chosen = self.chosen(joined, np.concatenate([p.rated for p in people]), k, **choice)
        predicted = join(self.scorer.clipped(stars), axis=0)
        return self.describe(chosen, joined[chosen], predicted[chosen])

    def for_users(
        self, user_ids: Sequence[int], k: int = 10, exclude_seen: bool = True
    ) -> pd.DataFrame:
        """The films for each of several users.

        Returns:
            A long frame with `user_id`, `rank` (from 1), `movie_id` to `predicted` as in
            `for_user`; users in the order given.
        """
        check_choice(k)
        user_idx = self.features.users.encode(np.atleast_1d(user_ids))
        best, scores = self.top(user_idx, k, exclude_seen)
        rows, ranks = np.nonzero(best >= 0)
        chosen = best[rows, ranks]
        stars = self.scorer.stars(user_idx[rows], chosen)
        frame = self.describe(chosen, scores[rows, ranks], stars)
        frame.insert(0, "user_id", self.features.users.decode(user_idx[rows]))
        frame.insert(1, "rank", ranks + 1)
        return frame

    def top(
        self,
        user_idx: npt.NDArray[np.integer],
        k: int = 10,
        exclude_seen: bool = True,
        liking: float | None = None,
    ) -> tuple[npt.NDArray[np.int64], Scores]:
        """What `for_users` tells in words, by row numbers, as arrays; see `vectors.top_lists`."""
        if exclude_seen and len(user_idx) > FEW:
            _ = self.ratings  # all at once, since one by one they would take longer
        left_out = (lambda user: self.seen(user)[0]) if exclude_seen else None
        scores = partial(self.scorer.scores, liking=liking)
        return top_lists(scores, user_idx, self.is_film, left_out, min(k, len(self.is_film)))

    def similar(self, movie_id: int, k: int = 10, **choice: Unpack[Choice]) -> pd.DataFrame:
        """The films most like a film, without the film itself; arguments as in `for_user`.

        Returns:
            As `for_user`, without stars; `score` is the `likeness`.
        """
        movie_idx = int(self.features.movies.encode([movie_id])[0])
        likeness = self.likeness(movie_idx)
        chosen = self.chosen(likeness, movie_idx, k, **choice)
        return self.describe(chosen, likeness[chosen])

    def also_liked(self, movie_id: int, k: int = 10, **choice: Unpack[Choice]) -> pd.DataFrame:
        """What the people who like a film also like; arguments as in `for_user`.

        The people are those of `people_who_like`. A film's score joins how likely it is to be
        watched by somebody of whom only this film is known with how much these people would like
        it, or what everybody likes would stand on top. The film itself is left out, and films that
        nobody liked (4 stars) in training: how they go with others is a guess from genres alone.

        Returns:
            As `for_user`; `predicted` is the mean of their predicted stars.
        """
        movie_idx = int(self.features.movies.encode([movie_id])[0])
        fans, _, _ = self._fans(movie_idx, FANS)
        # clipped before the mean, or one person's 5.9 stars would outweigh another's opinion
        stars = self.scorer.clipped(self.model.users[fans] @ self.model.films.T).mean(axis=0)
        watching = self.model.watching
        # popularity and the factors of one film say little of what goes with it
        scores = join_scores(watching.linear() @ watching.vectors(movie_idx), stars, FANS_LIKING)
        liked = watching.watched[:, -1] > 0
        scores[~liked & liked.any()] = -np.inf
        chosen = self.chosen(scores, movie_idx, k, **choice)
        return self.describe(chosen, scores[chosen], stars[chosen])

    def people_who_like(self, movie_id: int, k: int = FANS) -> pd.DataFrame:
        """The people for whom a film's score is highest, best first.

        Returns:
            As `describe_people`, and `score` and `predicted` as in `for_user`.
        """
        check_choice(k)
        movie_idx = int(self.features.movies.encode([movie_id])[0])
        fans, stars, scores = self._fans(movie_idx, k)
        predicted = self.scorer.clipped(stars[fans])
        return self.describe_people(fans).assign(score=scores[fans], predicted=predicted)

    @overload
    def predict(self, user_ids: npt.ArrayLike | Person, movie_ids: npt.ArrayLike) -> Scores: ...

    @overload
    def predict(
        self, user_ids: npt.ArrayLike | Person, movie_ids: npt.ArrayLike, return_std: Literal[True]
    ) -> tuple[Scores, Scores]: ...

    def predict(
        self, user_ids: npt.ArrayLike | Person, movie_ids: npt.ArrayLike, return_std: bool = False
    ) -> Scores | tuple[Scores, Scores]:
        """Predicted ratings of pairs, or of films by one person.

        Args:
            user_ids: (n,) ids, or a `Person`, who may be new; a single id is a list of one.
            movie_ids: (n,) films.
            return_std: whether to give standard deviations of the ratings about these, too: what
                is not known of the person and the film, and what no model knows.

        Returns:
            float32 (n,), clipped to the stars of the data, or two such.
        """
        movie_idx = self.features.movies.encode(np.atleast_1d(movie_ids))
        if isinstance(user_ids, Person):
            stars = self.scorer.clipped(self.model.films[movie_idx] @ user_ids.vector)
            term: float | Scores = user_ids.user_term
        else:
            user_idx = self.features.users.encode(np.atleast_1d(user_ids))
            if user_idx.ndim != 1 or user_idx.shape != movie_idx.shape:
                raise InputError(
                    f"got users of shape {user_idx.shape} and films of shape {movie_idx.shape}; "
                    "expected two lists of the same length"
                )
            stars = self.scorer.stars(user_idx, movie_idx)
            term = self.model.certainty.users[user_idx]
        return (stars, self.scorer.std(stars, movie_idx, term)) if return_std else stars

    def explain(self, user: int | Person, movie_id: int) -> pd.DataFrame:
        """Which of a person's rated films speak for a film and against it, and how much.

        Returns:
            A row a rated film, the largest `stars` first: `movie_id`, `title`, `rating` (stars
            given), `stars` (what it adds to the predicted rating), `watching` (what it adds to how
            likely the film is to be watched). Before them, without an id, what is there without
            ratings, and for a user of the data what the training knows beyond these. Each column
            adds up to its half of the score, before it is clipped. Of a user of the data only the
            ratings count that the training has seen.
        """
        movie_idx = self.features.movies.encode([movie_id])
        parts = parts_of(self, self.model, self._someone(user), movie_idx)
        told = [(name, *np.ravel(values)) for name, values in parts.rest.items()]
        rest = pd.DataFrame(told, columns=["title", "stars", "watching"])
        frame = self.describe(parts.rated)[["movie_id", "title"]].astype({"movie_id": "Int64"})
        own = {"stars": parts.stars[:, 0], "watching": parts.watching[:, 0]}
        frame = frame.assign(rating=parts.given, **own)
        frame = frame.sort_values("stars", key=np.abs, ascending=False, kind="stable")
        return pd.concat([rest, frame], ignore_index=True)[list(frame.columns)]

    def because(self, user: int | Person, movie_id: int, count: int = 2, who: str = "you") -> str:
        """`because_each` of one film."""
        return self.because_each(user, [movie_id], count, who)[0]

    def because_each(
        self, user: int | Person, movie_ids: npt.ArrayLike, count: int = 2, who: str = "you"
    ) -> list[str]:
        """`explain` in words: the films that speak most for a film, and the one most against it.

        What speaks for a film is what makes it likely to be watched, of films that got the middle
        of the scale or more; at most `count` are named.

        Returns:
            n phrases such as "because you gave Alien (1979) 5 stars, though Heat (1995) 2 stars",
            or what `who` says for "you"; empty where nothing speaks for the film or against it.
        """
        movie_idx = self.features.movies.encode(np.atleast_1d(movie_ids))
        parts, named = named_of(self, self.model, self._someone(user), movie_idx, count)
        titles = self.describe(parts.rated)["title"]
        said = [
            f"{title} {stars:g} {'star' if stars == 1 else 'stars'}"
            for title, stars in zip(titles, parts.given, strict=True)
        ]
        phrases = []
        for most, least in named:
            praise = " and ".join(said[row] for row in most)
            text = f"because {who} gave {praise}" if praise else ""
            for row in least:
                text += f"{', though' if text else f'though {who} gave'} {said[row]}"
            phrases.append(text)
        return phrases

    def shared(self, movie_id: int, other_id: int) -> dict[str, Any]:
        """What two films have in common.

        Returns:
            `likeness` (as in `similar`), `raters` (who rated both), `expected` (how many, were the
            raters of one any people), `genres` and `words` of the title that both have.
        """
        features, pair = self.features, self.features.movies.encode([movie_id, other_id]).tolist()
        one, other = map(self.raters, pair)
        genres, words = (
            set.intersection(*map(set, features.movie_fields[name][pair].tolist())) - {0}
            for name in ("genres", "title")
        )
        return {
            "likeness": float(self.likeness(pair[0])[pair[1]]),
            "raters": len(np.intersect1d(one, other, assume_unique=True)),
            "expected": len(one) * len(other) / len(features.users.used),
            "genres": [features.genres[genre] for genre in sorted(genres)],
            "words": [features.words[word] for word in sorted(words)],
        }

    def add_movies(self, movies: pd.DataFrame) -> Recommender:
        """A recommender that also has films that the training has not seen.

        Nothing is trained: a film is taken for what its genres and its year say. This recommender
        and the run folder stay as they are.

        Args:
            movies: `title` and `genres` ("Animation|Comedy"), which the data has to know;
                `movie_id`, else the next free ones; `year`, else it is read from the title.
        """
        return Recommender(*with_movies(self, self.model, movies))

    def add_ratings(self, ratings: pd.DataFrame, users: pd.DataFrame | None = None) -> Recommender:
        """A recommender that also knows ratings that the training has not seen.

        Nothing is trained: the users' vectors move as Bayes' rule says, films keep theirs. This
        recommender and the run folder stay as they are.

        Args:
            ratings: `user_id`, `movie_id`, `rating`, and if known `timestamp`; pairs that have no
                rating yet.
            users: `user_id` of users who are not in the data yet, with `gender`, `age` and
                `occupation` where the data has them.
        """
        return Recommender(*with_ratings(self, self.model, ratings, users))

    @cached_property
    def likeness(self) -> Resemblance:
        """How alike a film and others are, by row."""
        return Resemblance(self.features, self.model.watching)

    def _someone(self, user: int | Person) -> Person:
        return user if isinstance(user, Person) else self.person(user)

    def _fans(self, movie_idx: int, k: int) -> tuple[npt.NDArray[np.int64], Scores, Scores]:
        """Rows of the k people of `people_who_like`, and everybody's stars and scores of a film."""
        stars, scores = self.scorer.of_film(movie_idx)
        scores[self.features.users.ids < 0] = -np.inf
        best = top_k(scores[None], k)[0]
        return best[best >= 0], stars, scores

    def chosen(
        self,
        scores: Scores,
        left_out: int | npt.NDArray[np.integer],
        k: int,
        temperature: float = 0.0,
        seed: int | None = None,
        variety: float = 0.0,
        among: npt.ArrayLike | None = None,
    ) -> npt.NDArray[np.int64]:
        """Rows of k films, some rows left out; the others as in `for_user`."""
        allowed = np.where(self.is_film, scores, -np.inf)
        if among is not None:
            kept = self.features.movies.encode(np.atleast_1d(among))
            allowed[np.setdiff1d(np.arange(len(allowed)), kept)] = -np.inf
        allowed[left_out] = -np.inf
        return choose(allowed, k, temperature, seed, variety, self.likeness)
