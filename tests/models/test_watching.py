"""What is watched together: the linear item model by its strongest directions."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from movierec.models.implicit import person_parts
from movierec.models.watching import (
    POPULAR,
    SHARE,
    SHORT,
    USUAL_HISTORY,
    Watching,
    fit_watching,
    profile_of,
    shares,
    star_weights,
    strongest_directions,
    unwatched,
)
from movierec.vectors import Rows

USERS, FILMS = 60, 12
RANK, RIDGE = 3, 20.0
PLAIN = np.ones((FILMS, 1), np.float32)  # attributes that tell nothing


@pytest.fixture(autouse=True)
def small_ridge(monkeypatch):
    monkeypatch.setattr("movierec.models.watching.RIDGE", RIDGE)


def vectors(model: Watching) -> np.ndarray:
    """F, of the films."""
    return model.vectors(slice(None))


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
    model = fit_watching(rows, USERS, PLAIN, RANK)
    inverse = exact(rows, RIDGE)
    expected = -inverse / np.diag(inverse)
    found = vectors(model) @ model.linear().T
    off = ~np.eye(FILMS, dtype=bool)
    assert np.corrcoef(found[off], expected[off])[0, 1] > 0.7
    np.testing.assert_allclose(model.own, np.diag(inverse), rtol=0.15)


def test_with_all_directions_the_model_is_exact(rows, monkeypatch):
    def all_of_them(matrix, rank):
        _, strength, directions = np.linalg.svd(matrix.toarray(), full_matrices=False)
        return strength**2, directions.T

    monkeypatch.setattr("movierec.models.watching.strongest_directions", all_of_them)
    model = fit_watching(rows, USERS, PLAIN, RANK)
    inverse = exact(rows, RIDGE)
    found = -vectors(model) @ vectors(model).T  # off the diagonal; on it, this less 1 / ridge
    np.testing.assert_allclose(found + np.eye(FILMS) / RIDGE, inverse, atol=1e-5)


def test_films_of_a_circle_are_neighbours(rows):
    model = fit_watching(rows, USERS, PLAIN, RANK)
    first = np.arange(FILMS) < 6
    same = first[model.neighbours] == first[:, None]
    # 5 of the 11 others by chance
    assert model.correlation[same].sum() > 1.5 * model.correlation[~same].sum()


def test_a_person_is_the_weighted_sum_of_their_films(rows):
    model = fit_watching(rows, USERS + 1, PLAIN, RANK)
    mine = rows.user_idx == 7
    films, stars = rows.movie_idx[mine], rows.rating[mine]
    weight = star_weights(stars)
    linear = weight @ vectors(model)[films]
    factors = person_parts(model.watched[films, RANK:-1], weight, model.unseen).sum(axis=0)
    expected = np.append(linear, SHARE * len(films) / (len(films) + SHORT) * factors)
    np.testing.assert_allclose(model.profiles[7, :-1], expected, atol=1e-5)
    assert not model.profiles[:USERS, -1].any()  # people of the data are their films
    nothing = [0] * (RANK + 1) + [POPULAR]
    assert model.profiles[USERS].tolist() == pytest.approx(nothing)  # rates nothing
    new = profile_of(model, films, stars)
    np.testing.assert_allclose(new[:-1], expected, atol=1e-5)
    assert new[-1] == pytest.approx(POPULAR * 20 / (20 + len(films)))
    assert profile_of(model, films[:0], stars[:0]).tolist() == pytest.approx(nothing)


def test_shares_add_up_to_what_a_profile_says(rows):
    model = fit_watching(rows, USERS, PLAIN, RANK)
    films, stars = np.array([2, 9]), np.array([5, 1], np.float32)
    asked = np.array([0, 4, 7])
    profile = profile_of(model, films, stars)
    whole = profile[:-1] @ model.watched[asked, :-1].T
    found = shares(model, films, stars, asked)
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found.sum(axis=0), whole, atol=1e-6)


def test_popularity_is_a_films_share_of_the_likes(rows):
    model = fit_watching(rows, USERS, PLAIN, RANK)
    likes = np.bincount(rows.movie_idx[rows.rating >= 4], minlength=FILMS)
    assert (likes > 0).all()
    np.testing.assert_allclose(model.watched[:, -1], likes / likes.sum() * FILMS, rtol=1e-6)


def test_film_that_nobody_rates_is_taken_for_those_like_it(rows):
    """Its attribute says which circle it is of; people of that circle get it."""
    known = np.repeat(np.eye(2, dtype=np.float32), 6, axis=0) * 10
    model = fit_watching(rows, USERS, known, RANK)
    watched, own = unwatched(model, np.ones(FILMS, bool), known, known[[0, 6]])
    scores = model.profiles @ watched.T
    even = np.arange(USERS) % 2 == 0
    assert (scores[even, 0] > scores[even, 1]).mean() > 0.95
    assert (scores[~even, 1] > scores[~even, 0]).mean() > 0.95
    assert own == np.median(model.own)
    assert not watched[:, -1].any()  # nobody has liked it


def test_films_of_the_data_that_nobody_rates_are_taken_likewise(rows):
    known = np.repeat(np.eye(2, dtype=np.float32), [6, 8], axis=0) * 10
    found = fit_watching(rows, USERS, known, RANK)  # the last two are not rated
    rated = np.arange(FILMS + 2) < FILMS
    watched, _ = unwatched(found, rated, known, known[~rated])
    np.testing.assert_array_equal(found.watched[~rated], watched)
    assert not found.correlation[~rated].any()
    assert not np.isin(found.neighbours[rated][found.correlation[rated] > 0], [12, 13]).any()
    alone = fit_watching(rows, USERS, known[:FILMS], RANK)
    np.testing.assert_allclose(np.abs(found.own[rated]), alone.own, rtol=1e-4)
    assert np.isfinite(found.profiles).all()


def test_stars_between_whole_ones_weigh_in_between():
    assert star_weights(np.array([1, 3, 4.5, 5, 0.5])) == pytest.approx([0.5, 0.8, 1.05, 1.1, 0.5])


def test_where_nobody_likes_any_film_all_stays_finite(rows):
    known = np.repeat(np.eye(2, dtype=np.float32), [6, 8], axis=0)
    model = fit_watching(rows._replace(rating=np.ones_like(rows.rating)), USERS, known, RANK)
    assert all(np.isfinite(array).all() for array in model)


def test_strongest_directions_are_those_of_the_decomposition():
    """Of a matrix whose strengths fall slowly, as those of histories do."""
    rng = np.random.default_rng(0)
    roots = [np.linalg.qr(rng.normal(size=(rows, 120))).Q for rows in (300, 200)]
    strengths = 10 * np.arange(1, 121) ** -0.5
    matrix = (roots[0] * strengths @ roots[1].T).astype(np.float32)
    found, directions = strongest_directions(sp.csr_array(matrix), 20)
    np.testing.assert_allclose(np.sort(found)[::-1], strengths[:20] ** 2, rtol=1e-3)
    np.testing.assert_allclose(directions.T @ directions, np.eye(20), atol=1e-4)
    kept = roots[1][:, :20].T @ directions  # both span the same
    np.testing.assert_allclose(kept @ kept.T, np.eye(20), atol=1e-2)
