"""Simulate films, people and their ratings in exactly the MovieLens-1M form, with a known truth.

A seed makes the whole world. A film belongs to a *circle* (a kind of film with its own genres,
years and title words) and has *traits*; a person has *tastes*, in part those of their gender, age
band and occupation. With r the rating of film m by person u,

    latent = level + bias[u] + quality[m] + tastes[u] . traits[m] + noise * standard normal
    r      = latent rounded to whole stars and clipped to 1...5

Traits and quality come from genres, title words, the era, the circle and the film itself. What
people watch follows popularity, their tastes and habits that say nothing about the rating. As the
noise is known, so is the error that no model can beat.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr

from movierec.data.features import IdVocabulary
from movierec.data.tables import AGE_BANDS, GENRES_1M, OCCUPATIONS_1M, Tables
from movierec.errors import InputError
from movierec.sample.invented import ERAS, MOODS, draw_circle, draw_films, mood_of_words

_AGE_SHARE = (0.04, 0.18, 0.35, 0.20, 0.09, 0.08, 0.06)
_OCCUPATION_SHARE = (12, 9, 4, 3, 13, 2, 4, 11, 1, 2, 3, 2, 6, 2, 5, 2, 4, 8, 1, 1, 5)  # percent
_START, _END = 956_703_932, 1_046_454_590  # Unix seconds: 2000-04-25 to 2003-02-28
_TRAITS = 8  # dimensions of tastes and traits
_HABITS = 4  # dimensions of what people watch whatever they think of it
_NOISE = 0.86  # stars, before rounding
_FEWEST = 20  # ratings a user
_BLOCK = 1 << 19  # candidate pairs, or ratings, worked on at once


@dataclass(frozen=True, eq=False)
class Truth:
    """What a simulated world is made of; rows as in `tables.users` and `tables.movies`."""

    user_ids: np.ndarray  # of the rows
    movie_ids: np.ndarray
    level: float  # stars at which everybody and every film starts
    user_bias: np.ndarray  # (users,) stars by which a user is generous
    movie_quality: np.ndarray  # (movies,) stars by which a film is better than others
    user_tastes: np.ndarray  # (users, 8), whose products with the traits, summed, are in stars
    movie_traits: np.ndarray  # (movies, 8)
    # (movies,), those of which are alike, are watched by the same people, and belong together
    movie_circle: np.ndarray
    noise_rmse: float  # the least that a model can have, in expectation, on the pairs rated

    def expected_rating(self, user_ids: np.ndarray, movie_ids: np.ndarray) -> np.ndarray:
        """E[rating | user, movie] of each pair: (pairs,) ids to (pairs,) stars.

        Raises:
            InputError: an id that is not of this world, or lists of different lengths.
        """
        user_ids, movie_ids = np.asarray(user_ids), np.asarray(movie_ids)
        if user_ids.shape != movie_ids.shape or user_ids.ndim != 1:
            raise InputError(
                f"user_ids of shape {user_ids.shape} and movie_ids of shape {movie_ids.shape}; "
                "expected two one-dimensional arrays of one length; give one movie for each user"
            )
        users = IdVocabulary("user", np.append(-1, self.user_ids)).encode(user_ids) - 1
        movies = IdVocabulary("movie", np.append(-1, self.movie_ids)).encode(movie_ids) - 1
        affinity = _pairwise(self.user_tastes, self.movie_traits, users, movies)
        latent = self.level + self.user_bias[users] + self.movie_quality[movies] + affinity
        return _rating_moments(latent)[0]


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated data set and what is true of it."""

    tables: Tables
    truth: Truth


def sample() -> Tables:
    """The embedded data set: `simulate` as it is by default."""
    return simulate().tables


def simulate(
    n_users: int = 1000, n_movies: int = 700, n_ratings: int = 80_000, seed: int = 0
) -> Simulation:
    """Make films, people and ratings in exactly the MovieLens-1M form.

    Work and memory grow with the ratings, not with users times movies.

    Args:
        n_users: how many users, from 1.
        n_movies: how many films, from 1; a few of them nobody rates.
        n_ratings: how many ratings, met exactly. Each user has at least 20, or all films where
            there are fewer.
        seed: from 0; the same seed gives the same tables, bit for bit.

    Returns:
        The tables, named "sample", and the truth behind them.

    Raises:
        InputError: no such world can exist.

    Example:
        >>> simulation = simulate(n_users=50, n_movies=80, n_ratings=2000, seed=1)
        >>> len(simulation.tables.ratings)
        2000
    """
    _check_sizes(n_users=n_users, n_movies=n_movies, n_ratings=n_ratings, seed=seed)
    rng = np.random.default_rng(seed)
    users, tastes, bias = _people(n_users, rng)
    movies, traits, quality, circle, popularity, circle_habits = _films(n_movies, rng)
    counts = _activity(n_users, n_movies, n_ratings, rng)

    habits = 0.35 * rng.standard_normal((n_users, _HABITS))
    watching = np.hstack([2.5 * tastes, habits]), np.hstack([traits, circle_habits])
    user_rows, movie_rows = _watch(counts, popularity, *watching, rng)

    blocks = [slice(start, start + _BLOCK) for start in range(0, n_ratings, _BLOCK)]
    latent = np.empty(n_ratings)
    for block in blocks:
        u, m = user_rows[block], movie_rows[block]
        latent[block] = bias[u] + quality[m] + _pairwise(tastes, traits, u, m)
    level = 3.65 - float(latent.mean())
    stars = np.empty(n_ratings, dtype=np.float32)
    variance = 0.0
    for block in blocks:
        mean = level + latent[block]
        drawn = mean + _NOISE * rng.standard_normal(len(mean))
        stars[block] = np.clip(np.rint(drawn), 1, 5)
        variance += float(_rating_moments(mean)[1].sum())
    ids = users["user_id"].to_numpy(), movies["movie_id"].to_numpy()
    noise_rmse = math.sqrt(variance / n_ratings)
    truth = Truth(*ids, level, bias, quality, tastes, traits, circle, noise_rmse)
    ratings = pd.DataFrame(
        {
            "user_id": truth.user_ids[user_rows],
            "movie_id": truth.movie_ids[movie_rows],
            "rating": stars,
            "timestamp": _timestamps(counts, rng),
        }
    )
    return Simulation(Tables(users, movies, ratings, "sample", OCCUPATIONS_1M), truth)


def truth_of(tables: Tables) -> Truth | None:
    """The truth of the default world, if these are its tables; None for any other data."""
    if tables.name != "sample":
        return None
    world = simulate()
    return world.truth if world.tables.ratings.equals(tables.ratings) else None


def _check_sizes(**sizes: int) -> None:
    for name, value in sizes.items():
        least = 0 if name == "seed" else 1
        if not isinstance(value, int | np.integer) or value < least:
            raise InputError(f"{name}={value!r}; expected a whole number from {least}, such as 20")
    n_users, n_movies, n_ratings, _ = sizes.values()
    each = min(_FEWEST, n_movies)
    if not n_users * each <= n_ratings <= n_users * n_movies:
        raise InputError(
            f"n_ratings={n_ratings}; expected {n_users * each} (at least {each} for each of "
            f"{n_users} users) to {n_users * n_movies} (every user every film); change n_ratings, "
            f"or have {'fewer users' if n_ratings < n_users * each else 'more users or films'}"
        )


def _people(n_users: int, rng: np.random.Generator) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Draw the users table, tastes (users, traits) and biases (users,)."""
    job_share = np.array(_OCCUPATION_SHARE) / sum(_OCCUPATION_SHARE)
    gender = (rng.random(n_users) >= 0.28).astype(np.int64)  # F 0, M 1
    age = rng.choice(len(AGE_BANDS), n_users, p=_AGE_SHARE)
    job = rng.choice(len(OCCUPATIONS_1M), n_users, p=job_share)
    table = pd.DataFrame(
        {
            "user_id": np.arange(1, n_users + 1, dtype=np.int64),
            "gender": pd.Series(np.array(["F", "M"])[gender], dtype="str"),
            "age": np.array(AGE_BANDS, dtype=np.int64)[age],
            "occupation": job.astype(np.int64),
            "zip": [f"{code:05d}" for code in rng.integers(1000, 99_951, n_users)],
        }
    )
    # The last column is generosity: it has the same sources as the tastes.
    by_group = [rng.standard_normal((rows, _TRAITS + 1)) for rows in (2, 7, 21)]
    drawn = _unit(
        0.45 * _unit(by_group[0][gender])
        + 0.45 * _unit(by_group[1][age])
        + 0.40 * _unit(by_group[2][job])
        + 0.75 * rng.standard_normal((n_users, _TRAITS + 1))
    )
    return table, 0.47 / math.sqrt(_TRAITS) * drawn[:, :-1], 0.50 * drawn[:, -1]


def _films(
    n_movies: int, rng: np.random.Generator
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Draw the movies table and of each film traits, quality, circle, popularity, habits met."""
    n_circles = max(1, n_movies // 20)
    circle = rng.integers(n_circles, size=n_movies)
    years, genres, titles = draw_films(circle, [draw_circle(rng) for _ in range(n_circles)], rng)
    movie_ids = 1 + np.sort(rng.choice(n_movies + n_movies // 56, n_movies, replace=False))
    table = pd.DataFrame(
        {
            "movie_id": movie_ids.astype(np.int64),
            "title": [f"{title} ({year})" for title, year in zip(titles, years, strict=True)],
            "genres": ["|".join(names) for names in genres],
            "year": pd.array(years, dtype="Int64"),
        }
    )
    mood_of = mood_of_words()
    era = np.searchsorted(ERAS, years, side="right") - 1
    # Quality is drawn as one more trait, the last column: it has the same sources.
    by_mood, by_genre, by_era, by_circle, by_word = (
        rng.standard_normal((rows, _TRAITS + 1))
        for rows in (len(MOODS), len(GENRES_1M), len(ERAS), n_circles, len(mood_of))
    )
    moods = np.array(list(mood_of.values()))
    by_word[moods >= 0] = 0.6 * by_mood[moods[moods >= 0]] + 0.8 * by_word[moods >= 0]
    word_rows = {word: row for row, word in enumerate(mood_of)}
    plain = [title.replace(",", "").replace("'s", "").split() for title in titles]
    words = [[word_rows[w] for w in title if w in word_rows] for title in plain]
    genre_rows = [[GENRES_1M.index(name) for name in names] for names in genres]
    drawn = _unit(
        0.45 * _unit(_summed(genre_rows, by_genre))
        + 0.55 * _unit(_summed(words, by_word))
        + 0.30 * _unit(by_era[era])
        + 0.40 * _unit(by_circle[circle])
        + 0.45 * rng.standard_normal((n_movies, _TRAITS + 1))
    )
    quality = 0.60 * drawn[:, -1]

    renown = 0.45 * drawn[:, -1] + 0.25 * (era == len(ERAS) - 1) + rng.standard_normal(n_movies)
    unseen = rng.random(n_movies) < 0.04
    popularity = np.exp(1.5 * _unit(renown[:, None])[:, 0] - 14.0 * unseen)
    habits = rng.standard_normal((n_circles, _HABITS))[circle]
    return table, drawn[:, :-1], quality, circle, popularity / popularity.sum(), habits


def _summed(rows: list[list[int]], vectors: np.ndarray) -> np.ndarray:
    """The sums of each list's vectors, (lists, dimensions)."""
    total = np.zeros((len(rows), vectors.shape[1]))
    owner = np.repeat(np.arange(len(rows)), [len(own) for own in rows])
    np.add.at(total, owner, vectors[[row for own in rows for row in own]])
    return total


def _unit(values: np.ndarray) -> np.ndarray:
    """Scale each column to mean 0 and deviation 1; a constant column becomes 0."""
    spread = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1)


def _activity(n_users: int, n_movies: int, n_ratings: int, rng: np.random.Generator) -> np.ndarray:
    """Draw how many films each user rates: long-tailed, at least 20, `n_ratings` in all."""
    fewest = min(_FEWEST, n_movies)
    eagerness = np.exp(1.2 * rng.standard_normal(n_users))
    # Nobody rates much more than half of the films, unless that many ratings are asked for.
    most = max(fewest, int(0.6 * n_movies))
    if n_users * most < 1.3 * n_ratings:
        most = n_movies

    def counts_at(scale: float) -> np.ndarray:
        return fewest + np.minimum(scale * eagerness, most - fewest).astype(np.int64)

    # counts_at(low) has too few, counts_at(high) enough
    low, high = 0.0, n_movies / eagerness.min()
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if counts_at(middle).sum() > n_ratings else (middle, high)
    counts = counts_at(low)
    room = np.flatnonzero(counts < most)
    counts[room[: n_ratings - counts.sum()]] += 1
    return counts


def _watch(
    counts: np.ndarray,
    popularity: np.ndarray,
    watch_users: np.ndarray,
    watch_movies: np.ndarray,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the films that each user rates: row numbers of users and films, by user.

    Films race: the time of one is exponential with rate popularity * exp(affinity), and the first
    `counts[user]` to arrive are watched, in that order. All but the most active users race only a
    pool drawn by popularity, about four times as large as they need; the rates make up for how
    likely a film was to be in the pool.
    """
    n_movies = len(popularity)
    # draws needed for a pool of a given number of distinct films
    tried = np.geomspace(1, 4 * n_movies, 64)
    distinct = np.array([-np.expm1(-n * popularity).sum() for n in tried])
    draws = np.ceil(np.interp(4 * counts + 60, distinct, tried, right=np.inf))
    whole = draws >= n_movies
    draws = np.where(whole, n_movies, draws).astype(np.int64)
    cumulative = np.cumsum(popularity)
    cumulative /= cumulative[-1]

    user_rows = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    movie_rows = np.empty(len(user_rows), dtype=np.int32)
    filled = 0
    for users in _user_blocks(draws):
        all_films, pool = users[whole[users]], users[~whole[users]]
        picks = np.searchsorted(cumulative, rng.random(draws[pool].sum()), side="right")
        pairs = np.concatenate(
            [
                np.unique(np.repeat(pool, draws[pool]) * n_movies + picks),
                (all_films[:, None] * n_movies + np.arange(n_movies)).ravel(),
            ]
        )
        user, film = np.divmod(pairs, n_movies)
        in_pool = np.where(whole[user], 1.0, -np.expm1(-draws[user] * popularity[film]))
        affinity = _pairwise(watch_users, watch_movies, user, film)
        log_time = np.log(rng.standard_exponential(len(pairs)) * in_pool / popularity[film])
        # One sort for all users: whole numbers tell the users apart, fractions their arrivals.
        local = user - users[0]
        order = np.argsort(local + np.clip(log_time - affinity, -60, 60) / 128)
        arrivals = np.bincount(local, minlength=len(users))
        first = np.cumsum(arrivals) - arrivals
        place = np.arange(len(pairs)) - np.repeat(first, arrivals)
        chosen = film[order[place < np.repeat(counts[users], arrivals)]]
        movie_rows[filled : filled + len(chosen)] = chosen
        filled += len(chosen)
    return user_rows, movie_rows


def _timestamps(counts: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw Unix seconds for each rating: a user joins, rates in sessions, and in order."""
    seconds = np.empty(counts.sum(), dtype=np.int64)
    filled = 0
    for users in _user_blocks(counts):
        own = counts[users]
        first = np.cumsum(own) - own
        gaps = rng.exponential(25, own.sum())
        gaps += (rng.random(len(gaps)) < 1 / 80) * rng.exponential(12 * 86_400, len(gaps))
        gaps[first] = 0
        elapsed = np.cumsum(gaps)
        elapsed -= np.repeat(elapsed[first], own)
        joined = _START + 0.97 * (_END - _START) * rng.random(len(users)) ** 3
        # Who would go on past the last day is hurried.
        pace = np.minimum(1, (_END - joined) / np.maximum(elapsed[first + own - 1], 1))
        block = np.repeat(joined, own) + elapsed * np.repeat(pace, own)
        seconds[filled : filled + len(block)] = block.astype(np.int64)
        filled += len(block)
    return seconds


def _rating_moments(latent: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the stars that come of a latent mean, both (pairs,)."""
    mean, square = np.ones_like(latent), np.ones_like(latent)
    for stars in (2, 3, 4, 5):
        reached = ndtr((latent - (stars - 0.5)) / _NOISE)  # P(rating >= stars)
        mean += reached
        square += (2 * stars - 1) * reached
    return mean, square - mean**2


def _pairwise(
    left: np.ndarray, right: np.ndarray, left_rows: np.ndarray, right_rows: np.ndarray
) -> np.ndarray:
    """Inner products of pairs of rows, (pairs,)."""
    return np.einsum("pd,pd->p", left[left_rows], right[right_rows])


def _user_blocks(work: np.ndarray) -> Iterator[np.ndarray]:
    """Cut users into runs of rows whose work adds up to about `_BLOCK`."""
    block = np.cumsum(work) // _BLOCK
    yield from np.split(np.arange(len(work)), np.flatnonzero(np.diff(block)) + 1)
