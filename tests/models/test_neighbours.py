"""The films that go with a film: against the whole inverse, and on people of two circles."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from movierec.models.neighbours import RIDGE, fit_neighbours

USERS, FILMS = 400, 40


@pytest.fixture(scope="module")
def history() -> sp.csr_array:
    """Four circles of ten films; people watch most of one, and some that all watch."""
    rng = np.random.default_rng(0)
    chance = np.full((USERS, FILMS), 0.15)
    chance[np.arange(USERS)[:, None] % 4 == np.arange(FILMS) // 10] = 0.6
    chance[:, ::10] = 0.8  # the first of each circle is known to all
    return sp.csr_array((rng.random((USERS, FILMS)) < chance).astype(np.float32))


def directions(history: sp.csr_array) -> np.ndarray:
    strength, vectors = np.linalg.eigh((history.T @ history).toarray())
    return (vectors * np.sqrt(np.maximum(strength, 0)))[:, -5:].astype(np.float32)


def dense(rows: np.ndarray, values: np.ndarray) -> np.ndarray:
    whole = np.zeros((len(rows), len(rows)))
    np.put_along_axis(whole, rows, values, axis=1)
    return whole


def test_where_all_films_are_chosen_it_is_the_partial_correlation(history):
    found = dense(*fit_neighbours(history, directions(history)))
    square = (history.T @ history).toarray().astype(float)
    own = np.diag(square)
    inverse = np.linalg.inv(square + np.diag(RIDGE * np.sqrt(own)))
    expected = -inverse / np.sqrt(np.outer(np.diag(inverse), np.diag(inverse)))
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(found, np.maximum(expected, 0), atol=1e-4)


@pytest.mark.parametrize("chosen", [39, 15])
def test_neighbours_share_the_circle_even_where_few_films_are_looked_at(
    history, chosen, monkeypatch
):
    monkeypatch.setattr("movierec.models.neighbours.CHOSEN", chosen)
    monkeypatch.setattr("movierec.models.neighbours.NEIGHBOURS", 5)
    rows, values = fit_neighbours(history, directions(history))
    assert rows.shape == values.shape == (FILMS, 5)
    assert (np.diff(values, axis=1) <= 0).all()
    assert (values > 0).mean() > 0.9
    unknown = np.arange(FILMS) % 10 > 0
    same = rows // 10 == np.arange(FILMS)[:, None] // 10
    assert same[unknown].mean() > 0.75  # a quarter by chance


def test_films_without_raters_or_company_have_no_neighbours(history):
    """The last but one is rated by one person, who rates nothing else; the last by nobody."""
    alone = sp.csr_array(([1.0], ([USERS], [FILMS])), (USERS + 1, FILMS + 2), dtype=np.float32)
    wider = sp.csr_array(history, copy=True)
    wider.resize(USERS + 1, FILMS + 2)
    wider = (wider + alone).tocsr()
    rows, values = fit_neighbours(wider, directions(wider))
    assert not values[FILMS:].any()
    assert (rows[FILMS:] == [[FILMS], [FILMS + 1]]).all()
    assert not np.isin(rows[:FILMS], [FILMS, FILMS + 1])[values[:FILMS] > 0].any()
    assert np.isfinite(values).all()


def test_bits_do_not_depend_on_how_many_films_are_taken_at_once(history, monkeypatch):
    first = fit_neighbours(history, directions(history))
    monkeypatch.setattr("movierec.models.neighbours.FILMS", 7)
    again = fit_neighbours(history, directions(history))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, other)
