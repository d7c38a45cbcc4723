"""The factor model of what is watched: regressions in turn, against dense ones by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from movierec.models.implicit import (
    CHUNK,
    RIDGE,
    UNRATED,
    fit_implicit,
    person_parts,
    seen_or_not,
)

USERS, FILMS = 90, 30
K = 4


@pytest.fixture(scope="module")
def history() -> sp.csr_array:
    """Two circles of fifteen films; people watch most of one. The last film and person: nothing."""
    rng = np.random.default_rng(0)
    circle = np.arange(USERS)[:, None] % 2 == np.arange(FILMS) % 2
    watched = rng.random((USERS, FILMS)) < np.where(circle, 0.6, 0.05)
    watched[-1], watched[:, -1] = False, False
    return sp.csr_array((watched * rng.uniform(0.5, 1.1, watched.shape)).astype(np.float32))


def start(history: sp.csr_array) -> tuple[np.ndarray, np.ndarray]:
    _, strength, directions = np.linalg.svd(history.toarray(), full_matrices=False)
    return directions[:K].T, strength[:K] ** 2


def test_people_lower_what_the_model_says(history):
    """Each person's factors solve their own regression, of all films, by least squares."""
    people, films = fit_implicit(history, *start(history))
    dense = history.toarray()
    rated_films = np.count_nonzero(dense.any(axis=0))
    for user in (0, 1, 40):
        weight = dense[user] + UNRATED * 1.0
        target = (dense[user] > 0).astype(float)
        ridge = RIDGE * (target.sum() + UNRATED * rated_films)
        rows = np.vstack([np.sqrt(weight)[:, None] * films, np.sqrt(ridge) * np.eye(K)])
        wanted = np.append(np.sqrt(weight) * target, np.zeros(K))
        expected = np.linalg.lstsq(rows, wanted, rcond=None)[0]
        np.testing.assert_allclose(people[user], expected, rtol=1e-3, atol=1e-4)


def test_what_was_not_rated_of_the_own_circle_comes_first(history):
    people, films = fit_implicit(history, *start(history))
    scores = people @ films.T
    scores[history.toarray() > 0] = np.nan
    scores = scores[:-1, :-1]
    own = (np.arange(USERS)[:, None] % 2 == np.arange(FILMS) % 2)[:-1, :-1]
    first, second = (np.where(where, scores, np.nan) for where in (own, ~own))
    assert (np.nanmean(first, axis=1) > np.nanmean(second, axis=1)).mean() > 0.97


def test_nothing_rated_is_nothing_known(history):
    people, films = fit_implicit(history, *start(history))
    for side in people, films:
        assert not side[-1].any()
        assert side[:-1].any(axis=1).all()


def test_whole_blocks_may_have_no_ratings(history):
    """As the films have that a part of a data set's people never rated."""
    wide = sp.csr_array((history.data, history.indices, history.indptr), shape=(USERS, 500))
    directions, strength = start(history)
    wide_directions = np.vstack([directions, np.zeros((500 - FILMS, K))])
    for found, narrow in zip(
        fit_implicit(wide, wide_directions, strength),
        fit_implicit(history, directions, strength),
        strict=True,
    ):
        np.testing.assert_allclose(found[: len(narrow)], narrow, rtol=1e-4, atol=1e-6)
        assert not found[len(narrow) :].any()


@pytest.mark.parametrize("n", [0, 1, CHUNK, CHUNK + 3])
def test_parts_add_up_to_a_regression(n):
    """For histories of any length, whole chunks of ratings or not."""
    rng = np.random.default_rng(n)
    films = rng.normal(size=(200, K)).astype(np.float32)
    weight = rng.uniform(0.5, 1.1, n).astype(np.float32)
    rated = films[:n]
    unseen = seen_or_not(films)
    parts = person_parts(rated, weight, unseen)
    assert parts.shape == (n, K)
    square = unseen + RIDGE * n * np.eye(K) + (weight[:, None] * rated).T @ rated
    expected = np.linalg.solve(square, (weight + UNRATED) @ rated)
    np.testing.assert_allclose(parts.sum(axis=0), expected, atol=1e-5)


def test_parts_of_people_of_the_data_are_their_factors(history):
    people, films = fit_implicit(history, *start(history))
    row = history[[3]]
    parts = person_parts(films[row.indices], row.data, seen_or_not(films))
    np.testing.assert_allclose(parts.sum(axis=0), people[3], atol=1e-5)


def test_threads_do_not_change_the_bits(history, monkeypatch):
    found = fit_implicit(history, *start(history))
    monkeypatch.setattr("movierec.models.posterior.BLOCK_ROWS", 7)
    monkeypatch.setattr("os.cpu_count", lambda: 5)
    for one, other in zip(found, fit_implicit(history, *start(history)), strict=True):
        np.testing.assert_array_equal(one, other)
