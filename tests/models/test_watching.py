"""What is watched together: the linear item model by its strongest directions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from movierec.models.best import BestRecipe
from movierec.models.watching import USUAL_HISTORY, fit_watching, star_weights, unwatched
from movierec.vectors import Rows

USERS, FILMS = 60, 12
RECIPE = BestRecipe("small", watch_rank=3, watch_ridge=20.0)


@pytest.fixture(scope="module")
def rows() -> Rows:
    """Two circles of six films; people watch four of their circle's, and one of the other."""
    rng = np.random.default_rng(0)
    pairs = []
    for user in range(USERS):
        circle = user % 2 * 6
        own, other = rng.permutation(6)[:4] + circle, rng.integers(6) + 6 - circle
        pairs += [(user, film) for film in (*own, other)]
    user_idx, movie_idx = np.array(pairs, np.int32).T
    rating = rng.integers(1, 6, len(user_idx)).astype(np.float32)
    return Rows(user_idx, movie_idx, rating)


def exact(rows: Rows, ridge: float) -> np.ndarray:
    """P, the inverse of X'X + ridge, of the damped matrix."""
    shape = (USERS, FILMS)
    place = (rows.user_idx, rows.movie_idx)
    x = sp.csr_array((star_weights(rows.rating), place), shape=shape).toarray()
    count = np.bincount(rows.user_idx, minlength=USERS)
    x *= (count[:, None] / USUAL_HISTORY) ** -0.125
    return np.linalg.inv(x.T @ x + ridge * np.eye(FILMS))


def test_weights_are_those_of_the_linear_item_model(rows):
    model = fit_watching(rows, USERS, FILMS, RECIPE)
    inverse = exact(rows, RECIPE.watch_ridge)
    expected = -inverse / np.diag(inverse)
    found = model.movies @ (model.movies / model.own[:, None]).T
    off = ~np.eye(FILMS, dtype=bool)
    assert np.corrcoef(found[off], expected[off])[0, 1] > 0.7
    np.testing.assert_allclose(model.own, np.diag(inverse), rtol=0.15)


def test_with_all_directions_the_model_is_exact(rows, monkeypatch):
    everything = np.linalg.svd

    def all_of_them(matrix, k, v0):
        u, s, vt = everything(matrix.toarray(), full_matrices=False)
        return u, s, vt

    monkeypatch.setattr("movierec.models.watching.svds", all_of_them)
    model = fit_watching(rows, USERS, FILMS, RECIPE)
    inverse = exact(rows, RECIPE.watch_ridge)
    found = -model.movies @ model.movies.T  # off the diagonal; on it, this less 1 / ridge
    np.testing.assert_allclose(found + np.eye(FILMS) / RECIPE.watch_ridge, inverse, atol=1e-5)


def test_films_of_a_circle_are_nearer_than_others(rows):
    near = fit_watching(rows, USERS, FILMS, RECIPE).near
    likeness = near @ near.T
    same = np.equal.outer(np.arange(FILMS) < 6, np.arange(FILMS) < 6) & ~np.eye(FILMS, dtype=bool)
    others = likeness[~same & ~np.eye(FILMS, dtype=bool)]
    assert np.quantile(likeness[same], 0.2) > np.quantile(others, 0.8)
    assert (np.linalg.norm(near, axis=1) < 1).all()


def test_a_person_is_the_weighted_sum_of_their_films(rows):
    model = fit_watching(rows, USERS, FILMS, RECIPE)
    mine = rows.user_idx == 7
    expected = star_weights(rows.rating[mine]) @ model.movies[rows.movie_idx[mine]]
    np.testing.assert_allclose(model.users[7], expected, atol=1e-6)


def test_film_that_nobody_rates_is_taken_for_those_like_it(rows):
    """Its attribute says which circle it is of; people of that circle get it."""
    model = fit_watching(rows, USERS, FILMS, RECIPE)
    known = np.repeat(np.eye(2, dtype=np.float32), 6, axis=0) * 10
    new = unwatched(model, known, known[[0, 6]])
    scores = model.users @ (new.movies / new.own[:, None]).T
    even = np.arange(USERS) % 2 == 0
    assert (scores[even, 0] > scores[even, 1]).mean() > 0.95
    assert (scores[~even, 1] > scores[~even, 0]).mean() > 0.95
    assert new.own.shape == new.liked.shape == (2,)
    taken, watched = (np.linalg.norm(near, axis=1).mean() for near in (new.near, model.near))
    assert taken < watched  # it is nobody's neighbour before those that are watched


def test_stars_between_whole_ones_weigh_in_between():
    assert star_weights(np.array([1, 3, 4.5, 5, 0.5])) == pytest.approx([0.5, 0.8, 1.05, 1.1, 0.5])


def test_where_nobody_likes_any_film_all_stays_finite(rows):
    model = fit_watching(rows._replace(rating=np.ones_like(rows.rating)), USERS, FILMS, RECIPE)
    known = np.repeat(np.eye(2, dtype=np.float32), 6, axis=0)
    assert all(np.isfinite(array).all() for array in unwatched(model, known, known[:1]))
