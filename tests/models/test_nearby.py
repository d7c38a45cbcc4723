"""What near films' errors say: the formula, and next to nothing where nothing is to say."""

from __future__ import annotations

import numpy as np
import pytest

from movierec.models.nearby import MOST, RARE, near_errors, near_features, near_vectors
from movierec.models.watching import Watching
from movierec.vectors import Rows


def world(share: float) -> tuple[np.ndarray, Rows, np.ndarray]:
    """Films in pairs that nobody can tell apart, and errors that a pair shares or does not."""
    rng = np.random.default_rng(0)
    users, pairs = 300, 20
    near = np.repeat(np.eye(pairs, dtype=np.float32), 2, axis=0)
    user, film = (each.ravel() for each in np.indices((users, 2 * pairs)))
    common = rng.normal(size=(users, pairs))[user, film // 2]
    error = share * common + rng.normal(0, 0.8, len(user))
    rows = Rows(user.astype(np.int32), film.astype(np.int32), error.astype(np.float32))
    return near, rows, rows.rating


def test_kernel_is_kept_where_directions_are_enough():
    rng = np.random.default_rng(0)
    watched = rng.normal(size=(12, 5)).astype(np.float32)
    own = rng.uniform(0.5, 2, 12).astype(np.float32)
    none = np.zeros((0, 5), np.float32), np.zeros((12, 1), np.int32), np.zeros((12, 1), np.float32)
    watching = Watching(none[0], watched, own, np.zeros((0, 0), np.float32), *none[1:])
    near = near_vectors(watching)
    assert (np.linalg.norm(near, axis=1) < 1).all()
    vectors = watching.vectors(slice(None))
    vectors = vectors / np.sqrt(own + (vectors**2).sum(axis=1))[:, None]
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(near, vectors / (length + RARE * np.median(length)), rtol=1e-5)
    films = near_features(watching, np.arange(1, 13))
    kernel = np.maximum(near @ near.T, 0) ** 2
    assert np.abs(films @ films.T - kernel).max() < 0.1 * kernel.max()


def test_errors_that_near_films_share_are_passed_on_and_others_hardly():
    sums = {}
    for share in (0.0, 0.6, 3.0):
        near, rows, error = world(share)
        films, people = near_errors(near, rows, error, 300)
        each = near_errors(near, rows, error, 300)[0][0, 0] ** 2 / near[0, 0] ** 2
        sums[share] = each
        np.testing.assert_allclose(
            people[0], np.sqrt(each) * (error[rows.user_idx == 0] @ near), atol=1e-4
        )
        assert films.shape == near.shape
    assert sums[0.0] < 0.15 < 0.5 < sums[0.6]
    assert sums[3.0] == pytest.approx(MOST)  # whatever errors say


def test_nothing_is_said_without_ratings_or_features():
    none = Rows(np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0, np.float32))
    films, people = near_errors(np.zeros((4, 0), np.float32), none, none.rating, 3)
    assert films.shape == (4, 0)
    assert people.shape == (3, 0)
