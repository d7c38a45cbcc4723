"""The leading factors: what is known of them, whatever the data, and where they help."""

from __future__ import annotations

import numpy as np
import pytest

from movierec.network.spectral import leading_factors
from movierec.vectors import Rows

USERS, MOVIES = 60, 40


def ratings(seed: int = 0, noise: float = 0.1) -> tuple[Rows, np.ndarray, np.ndarray]:
    """Half of all pairs rated, by one taste; users and movies from row 1, as row 0 is free."""
    rng = np.random.default_rng(seed)
    taste, trait = rng.standard_normal(USERS), rng.standard_normal(MOVIES)
    user_idx, movie_idx = np.nonzero(rng.random((USERS, MOVIES)) < 0.5)
    rating = 3 + taste[user_idx] * trait[movie_idx] + noise * rng.standard_normal(len(user_idx))
    rows = Rows(
        (user_idx + 1).astype(np.int32), (movie_idx + 1).astype(np.int32), rating.astype(np.float32)
    )
    return rows, taste, trait


def test_second_column_is_the_taste_that_the_ratings_follow():
    rows, taste, trait = ratings()
    users, movies = leading_factors(rows, USERS + 1, MOVIES + 1, width=4)
    assert abs(np.corrcoef(users[1:, 1], taste)[0, 1]) > 0.95
    assert abs(np.corrcoef(movies[1:, 1], trait)[0, 1]) > 0.95
    assert np.sign(users[1:, 1] @ taste) == np.sign(movies[1:, 1] @ trait)


def test_first_column_is_the_deviation_from_the_mean():
    rng = np.random.default_rng(0)
    user_idx, movie_idx = (part.ravel().astype(np.int32) for part in np.indices((20, 30)))
    generous = rng.standard_normal(20)
    rows = Rows(user_idx, movie_idx, (3 + generous[user_idx]).astype(np.float32))
    users, movies = leading_factors(rows, 20, 30, width=2)
    assert np.corrcoef(users[:, 0], generous)[0, 1] > 0.999
    assert not movies[:, 0].any()


def test_columns_of_noise_are_smaller_than_that_of_the_taste():
    rows, _, _ = ratings(noise=1.0)
    users, movies = leading_factors(rows, USERS + 1, MOVIES + 1, width=6)
    for size in (np.sqrt(np.mean(factors**2, axis=0)) for factors in (users, movies)):
        assert size[0] == pytest.approx(1, rel=1e-5)
        assert size[1] > 0.8
        assert (size[2:] < size[1]).all()
        assert (np.diff(size[1:]) <= 0).all()


def test_rows_without_ratings_are_zero():
    rows, _, _ = ratings()
    users, movies = leading_factors(rows, USERS + 4, MOVIES + 3, width=4)
    unrated = [0, *range(USERS + 1, USERS + 4)]
    assert np.abs(users[unrated]).max() < 1e-5
    assert np.abs(movies[[0, MOVIES + 1, MOVIES + 2]]).max() < 1e-5


@pytest.mark.parametrize(("users", "movies", "width"), [(1, 1, 1), (1, 1, 8), (3, 2, 8), (2, 5, 3)])
def test_any_size_and_any_ratings_give_finite_factors(users, movies, width):
    idx = np.indices((users, movies)).reshape(2, -1).astype(np.int32)
    equal = Rows(idx[0], idx[1], np.full(users * movies, 4, dtype=np.float32))
    for matrix, height in zip(
        leading_factors(equal, users, movies, width), (users, movies), strict=True
    ):
        assert matrix.shape == (height, width)
        assert matrix.dtype == np.float32
        assert np.isfinite(matrix).all()


def test_order_of_the_ratings_does_not_matter():
    rows, _, _ = ratings()
    whole = leading_factors(rows, USERS + 1, MOVIES + 1, width=3)
    shuffled = rows.take(np.random.default_rng(1).permutation(len(rows.rating)))
    for one, other in zip(whole, leading_factors(shuffled, USERS + 1, MOVIES + 1, 3), strict=True):
        np.testing.assert_allclose(np.abs(one), np.abs(other), atol=1e-3)


def test_same_seed_gives_the_same_factors():
    rows, _, _ = ratings()
    one, other = (leading_factors(rows, USERS + 1, MOVIES + 1, 5, seed=3) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
