"""The factor models of recipe `best`: the arithmetic, and what they learn of a known world."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from movierec.data.attributes import (
    MOST_PAIRED,
    SCALE,
    encode_people,
    movie_attributes,
    user_attributes,
)
from movierec.data.features import Features
from movierec.data.tables import Tables
from movierec.errors import InputError
from movierec.evaluation.metrics import rating_metrics
from movierec.models import best
from movierec.models.best import BestRecipe, _rated, fit_ratings
from movierec.models.checkpoints import Checkpoint
from movierec.models.factors import beginning, fit_factors, leverage, tower_inputs
from movierec.models.model import complete
from movierec.models.posterior import (
    RANK,
    SAMPLE,
    Side,
    basis_of,
    inverse,
    observed,
    ones,
    posterior,
)
from movierec.models.recipe import Trained
from movierec.models.ridge import matrix_inputs, ridge_regression
from movierec.runs import encode_rows
from movierec.spread import by_threads
from movierec.training import train
from movierec.vectors import Rows, pair_scores

TINY = BestRecipe("tiny", factors=3, passes=3, members=2)


def rows_of(pairs: list[tuple[int, int, float]]) -> Rows:
    user_idx, movie_idx, rating = zip(*pairs, strict=True)
    return Rows(
        np.array(user_idx, np.int32), np.array(movie_idx, np.int32), np.array(rating, np.float32)
    )


@pytest.fixture(scope="module")
def tiny_rows() -> Rows:
    rng = np.random.default_rng(0)
    pairs = [(u, m, rng.integers(1, 6)) for u in range(12) for m in range(9) if rng.random() < 0.6]
    return rows_of(pairs)


def test_tower_sees_the_history_the_attributes_and_how_many_ratings_there_are():
    rated = sp.csr_array(np.array([[1, 0, 1], [0, 0, 0]], np.float32))
    sides = rated, rated.T.tocsr()
    attributes = np.array([[7.0], [8.0]], np.float32)
    inputs = tower_inputs(*sides, attributes, 2.0)
    matrix = inputs.forward(np.eye(inputs.size, dtype=np.float32))
    assert matrix[0] == pytest.approx([0.5, 0, 0.5, 7, 0.3, 0.3 * np.log(3)])
    assert matrix[1] == pytest.approx([0, 0, 0, 8, 0.3, 0])
    np.testing.assert_allclose(inputs.backward(np.eye(2, dtype=np.float32)), matrix.T)


def test_ridge_regression_is_that_of_the_normal_equations():
    rng = np.random.default_rng(0)
    matrix, targets = rng.normal(size=(40, 12)), rng.normal(size=(40, 3)).astype(np.float32)
    expected = np.linalg.solve(matrix.T @ matrix + 2 * np.eye(12), matrix.T @ targets)
    inputs = matrix_inputs(sp.csr_array(matrix.astype(np.float32)))
    found = ridge_regression(inputs, targets, 2.0, steps=30)
    np.testing.assert_allclose(found[0], expected, atol=1e-4)
    np.testing.assert_allclose(found[1], matrix @ expected, atol=1e-3)
    again = ridge_regression(inputs, targets, 2.0, steps=3, start=found)  # solved: it stays
    np.testing.assert_allclose(again[0], expected, atol=1e-4)


@pytest.mark.parametrize("size", [1, 2, 7, 41])
def test_inverse_by_halves_is_the_inverse(size):
    roots = np.random.default_rng(0).normal(size=(5, size, 2 * size))
    matrices = (roots @ roots.transpose(0, 2, 1) / size).astype(np.float32)
    found = inverse(matrices)
    np.testing.assert_allclose(
        found @ matrices, np.broadcast_to(np.eye(size), found.shape), atol=1e-4
    )


@pytest.mark.parametrize("count", [1, 2, 7, 16])
def test_row_of_few_ratings_is_solved_for_as_one_of_many(count, monkeypatch):
    """To the bit of rounding where all that it meets is equally unsure, and nearly where not."""
    rng = np.random.default_rng(count)
    n, m, k = 200, 90, 8
    rated = np.stack([rng.permutation(m) < max(count - row % 2, 1) for row in range(n)])
    stars = sp.csr_array(np.where(rated, rng.normal(size=(n, m)), 0).astype(np.float32))
    root = rng.normal(size=(2, k + 1, k + 1)).astype(np.float32)
    unsure = np.tile(np.float32([0.02, 0.05]), (m, 1))
    unsure *= rng.uniform(0.9, 1.1, (m, 1)).astype(np.float32)
    means, weight = rng.normal(0, 0.3, (m, k + 1)).astype(np.float32), np.ones(m, np.float32)
    expected = rng.normal(0, 0.3, (n, k + 1)).astype(np.float32)
    none = np.zeros((1, k + 1), np.float32)
    precision = (5 * np.eye(k + 1) + root[0] @ root[0].T).astype(np.float32)
    basis = root @ root.transpose(0, 2, 1)
    own = Side(expected, np.ones((n, 1), np.float32), precision[None], none, expected, precision)
    other = Side(means, unsure, basis, none, means, precision)
    given = observed(rng, stars), (rng.uniform(0.7, 1.7, n).astype(np.float32), weight)
    quick = posterior(own, other, *given, by_threads)
    monkeypatch.setattr("movierec.models.posterior.FEW", 0)
    for one, exact in zip(quick, posterior(own, other, *given, by_threads), strict=True):
        if isinstance(one, Side):
            np.testing.assert_allclose(one.mean, exact.mean, atol=1e-4)
            np.testing.assert_allclose(one.doubt, exact.doubt, atol=2e-3)
        else:
            np.testing.assert_allclose(one, exact, rtol=2e-3, atol=1e-3)


def test_half_a_pass_gives_each_vector_its_posterior(monkeypatch):
    """Means, covariances and errors given the other side, by the formulas, one user at a time.

    One user has more ratings than a chunk, and one a single one.
    """
    monkeypatch.setattr("movierec.models.posterior.FEW", 0)
    rng = np.random.default_rng(1)
    n, m, k, noise = 5, 150, 2, 0.7
    rated = (rng.random((n, m)) < np.array([[0.9], [0.5], [0.05], [0.2], [0.0]])).astype(np.float32)
    rated[4, 7] = 1
    stars = rated * rng.normal(size=(n, m)).astype(np.float32)

    def side(rows: int) -> Side:
        root = rng.normal(size=(rows, k + 1, k + 1)).astype(np.float32)
        mean, expected = rng.normal(size=(2, rows, k + 1)).astype(np.float32)
        precision = np.eye(k + 1, dtype=np.float32) * 2
        covariance = root @ root.transpose(0, 2, 1) / 9
        tower = np.zeros((1, k + 1), np.float32)
        return Side(mean, np.eye(rows, dtype=np.float32), covariance, tower, expected, precision)

    own, other = side(n), side(m)
    at = rated.nonzero()
    by_row = sp.csr_array((stars[at], at), shape=(n, m))
    row_weight = np.full(n, 1 / noise, np.float32)
    column_weight = np.linspace(0.5, 1.5, m).astype(np.float32)
    given = observed(rng, by_row)
    found, total, _ = posterior(own, other, given, (row_weight, column_weight), by_threads)
    covariance = np.einsum("nr,rij->nij", found.doubt, found.basis)
    for u in range(n):
        precision = own.precision.astype(float)
        pull = own.expected[u] @ own.precision
        for i in np.flatnonzero(rated[u]):
            q, c = np.append(other.mean[i, :k], 1), other.mean[i, k]
            doubt = np.zeros((k + 1, k + 1))
            doubt[:k, :k] = other.basis[i][:k, :k]
            together = np.append(other.basis[i][:k, k], 0)  # of factors and bias
            weight = column_weight[i] / noise
            precision = precision + weight * (np.outer(q, q) + doubt)
            pull = pull + weight * (stars[u, i] * q - (q * c + together))
        np.testing.assert_allclose(found.mean[u], np.linalg.solve(precision, pull), atol=1e-3)
        np.testing.assert_allclose(covariance[u], np.linalg.inv(precision), atol=1e-3)
    np.testing.assert_allclose(total, covariance.sum(axis=0), atol=1e-3)

    ones = np.ones(m, np.float32)
    found, _, errors = posterior(own, other, given, (row_weight, ones), by_threads)
    doubt = np.einsum("nr,rij->nij", found.doubt, found.basis).diagonal(axis1=1, axis2=2)
    for u in range(n):
        films = np.flatnonzero(rated[u])
        q, a = np.column_stack([other.mean[films, :k], np.ones(len(films))]), found.mean[u]
        spread = np.einsum("nii->ni", other.basis[films])
        expected = (stars[u, films] - other.mean[films, k] - q @ a) ** 2
        expected += (q**2) @ doubt[u] + spread[:, :k] @ (doubt[u, :k] + a[:k] ** 2) + spread[:, k]
        assert errors[u] == pytest.approx(expected.sum(), rel=1e-3)


def test_covariances_that_are_alike_are_kept_by_few_matrices():
    """A family of one parameter, as that of films with more and more ratings."""
    rng = np.random.default_rng(0)
    root = rng.normal(size=(20, 60))
    weights = np.geomspace(1, 100, SAMPLE)[:, None, None]
    covariances = np.linalg.inv(np.eye(20) + weights * (root @ root.T) / 60).astype(np.float32)
    kept = basis_of(covariances)
    assert len(kept) == RANK
    shares = np.einsum("nij,rij->nr", covariances, kept)
    rebuilt = np.einsum("nr,rij->nij", shares, kept)
    assert np.abs(rebuilt - covariances).max() < 1e-4


@pytest.mark.parametrize("by_user", [False, True])
def test_bits_depend_neither_on_threads_nor_on_a_pause(tiny_rows, by_user, monkeypatch):
    attributes = np.zeros((12, 0), np.float32), np.zeros((9, 0), np.float32)
    longer = BestRecipe("longer", factors=3, passes=8)
    passed = {}
    whole = fit_factors(tiny_rows, attributes, longer, 3, by_user, passed.__setitem__)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    later = fit_factors(tiny_rows, attributes, longer, 3, by_user, start=(6, passed[6]))
    for one, other in ((whole.users, later.users), (whole.movies, later.movies)):
        for array, again in zip(one, other, strict=True):
            np.testing.assert_array_equal(array, again)
    assert whole.noise == later.noise


def test_a_member_that_has_settled_is_done_and_the_next_goes_on_from_a_checkpoint(
    small_features, small_tables, tmp_path, monkeypatch
):
    rows = encode_rows(small_tables, small_features)
    nothing = rows.take(np.zeros(0, np.int64))
    monkeypatch.setattr("movierec.models.factors.SETTLED", 0.01)
    patient = replace(TINY, passes=40)
    told: list[int] = []
    whole = fit_ratings(
        *(small_features, rows, nothing, patient, 0), on_pass=lambda done, *_: told.append(done)
    )
    first = told.index(40) + 1  # passes of the first member
    assert 8 <= first == len(whole.history) < 40
    assert told[-1] == 80
    assert [row["epoch"] for row in whole.history] == list(range(1, first + 1))

    monkeypatch.setattr(best, "KEEP_EVERY", 0.0)
    checkpoint = Checkpoint(tmp_path / "run.partial", {})

    def stop(done: int, *_: float) -> None:
        if done == told[first + 1]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_ratings(
            *(small_features, rows, nothing, patient, 0), on_pass=stop, checkpoint=checkpoint
        )
    later = fit_ratings(small_features, rows, nothing, patient, 0, checkpoint=checkpoint)
    for one, other in zip(
        whole.vectors(small_features), later.vectors(small_features), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_pass_that_changes_little_is_the_last_from_the_eighth_on(tiny_rows, monkeypatch):
    monkeypatch.setattr("movierec.models.factors.SETTLED", 2.0)  # of any noise
    attributes = np.zeros((12, 0), np.float32), np.zeros((9, 0), np.float32)
    told: list[int] = []
    recipe = replace(TINY, passes=20)
    model = fit_factors(tiny_rows, attributes, recipe, 0, on_pass=lambda n, _: told.append(n))
    assert told == [*range(1, 8), 20]
    assert model.users.mean.shape == (12, TINY.factors + 1)


def test_precision_is_that_of_vectors_about_what_their_tower_says(monkeypatch):
    """And of what is not known of each, in blocks of any length."""
    monkeypatch.setattr("movierec.models.factors.BLOCK_ROWS", 7)
    rng = np.random.default_rng(0)
    user, film = (each.ravel() for each in np.indices((40, 30)))
    rows = rows_of([(u, m, rng.integers(1, 6)) for u, m in zip(user, film, strict=True)])
    attributes = np.zeros((40, 0), np.float32), np.zeros((30, 0), np.float32)
    model = fit_factors(rows, attributes, TINY, 0)
    for side in (model.users, model.movies):
        left = (side.mean - side.expected).astype(float)
        around = np.einsum("nr,rij->ij", side.doubt, side.basis) + left.T @ left
        around += 0.05 * np.eye(left.shape[1])
        expected = np.linalg.inv(around / (len(left) + 1))
        np.testing.assert_allclose(side.precision, expected, rtol=0.02, atol=0.02)


@pytest.mark.parametrize("by_user", [False, True])
def test_a_pass_goes_from_films_to_users_to_noise_to_films(tiny_rows, by_user):
    """The sixth, from what the fifth has left, by what posteriors and regressions say."""
    rng = np.random.default_rng(8)
    attributes = (rng.random((n, 2)).astype(np.float32) for n in (12, 9))
    known, passed = tuple(attributes), {}
    recipe = replace(TINY, passes=6)
    fit_factors(tiny_rows, known, recipe, 3, by_user, passed.__setitem__)
    before, after = passed[5], passed[6]

    rng = np.random.default_rng(3)
    beginning(rng, known, recipe.factors)  # which comes before the sample is drawn
    mean = tiny_rows.rating.mean()
    dense = np.full((12, 9), np.nan, np.float32)
    dense[tiny_rows[:2]] = tiny_rows.rating - mean
    at = np.nonzero(~np.isnan(dense))
    by_side = sp.csr_array((dense[at], at), (12, 9)), sp.csr_array((dense[at], at[::-1]), (9, 12))
    given = [observed(rng, ratings) for ratings in by_side]
    assert after.mean == pytest.approx(mean)
    seen = before.movies._replace(mean=before.movies.mean + 0.8 * before.step)
    sure = before.weight / np.float32(before.noise), before.movie_weight
    users, _, errors = posterior(before.users, seen, given[0], sure, by_threads)
    np.testing.assert_allclose(after.users.mean, users.mean, rtol=1e-4, atol=1e-5)
    count = np.bincount(tiny_rows.user_idx)
    if by_user:
        own = 0.93 * (errors + 20 * before.noise) / (count + 20)
        assert after.noise == pytest.approx(count.sum() / (count / own).sum(), rel=1e-4)
        np.testing.assert_allclose(after.weight, after.noise / own, rtol=1e-4)
    else:
        assert after.noise == pytest.approx(errors.sum() / count.sum(), rel=1e-4)
        assert (after.weight == 1).all()
    sure = before.movie_weight / np.float32(after.noise), after.weight
    movies, _, errors = posterior(before.movies, after.users, given[1], sure, by_threads)
    np.testing.assert_allclose(after.movies.mean, movies.mean, rtol=1e-4, atol=1e-5)
    count = np.bincount(tiny_rows.movie_idx)
    own = (errors + 50 * after.noise) / (count + 50)
    usual = count.sum() / (count / own).sum()
    np.testing.assert_allclose(after.movie_weight, usual / own, rtol=1e-4)
    np.testing.assert_allclose(after.step, movies.mean - before.movies.mean, atol=1e-5)

    rated = [ones(ratings, 0, ratings.shape[0]) for ratings in by_side]
    for side, sides, attribute, shrink, ridge in (
        ("users", rated, known[0], 20, 5),
        ("movies", rated[::-1], known[1], 1, 1),
    ):
        was, now = getattr(before, side), getattr(after, side)
        inputs = tower_inputs(*sides, attribute, shrink)
        tower, said = ridge_regression(inputs, now.mean, ridge, 4, (was.tower, was.expected))
        np.testing.assert_allclose(now.tower, tower, atol=1e-5)
        np.testing.assert_allclose(now.expected, said, atol=1e-5)


@pytest.mark.parametrize("by_user", [False, True])
def test_same_seed_gives_the_same_bits(tiny_rows, by_user):
    attributes = np.zeros((12, 0), np.float32), np.zeros((9, 0), np.float32)
    first, again, other = (
        fit_factors(tiny_rows, attributes, TINY, seed, by_user) for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first.users.mean, again.users.mean)
    np.testing.assert_array_equal(first.movies.doubt, again.movies.doubt)
    assert not np.array_equal(first.users.mean, other.users.mean)
    assert 0 < first.noise < 3


def test_vectors_of_members_side_by_side_give_the_mean_of_their_predictions(small_best):
    features = small_best.features
    recipe = BestRecipe("best", factors=6, passes=8, members=2)
    rows = small_best.rows("train")
    users, movies = (  # those with most ratings first
        np.argsort(-np.bincount(idx), kind="stable")[: len(np.unique(idx))] for idx in rows[:2]
    )
    user_at, movie_at = (
        np.argsort(order)[np.searchsorted(np.sort(order), idx)].astype(np.int32)
        for order, idx in zip((users, movies), rows[:2], strict=True)
    )
    inner = Rows(user_at, movie_at, rows.rating)
    known = user_attributes(features)[users], movie_attributes(features)[movies]
    predictions = []
    for number in range(2):
        model = fit_factors(inner, known, recipe, number, noise_by_user=number == 1)
        factors_, biases = model.users.mean[:, :-1], model.users.mean[:, -1:]
        stars = factors_ @ model.movies.mean[:, :-1].T + biases + model.movies.mean[:, -1]
        predictions.append(model.mean + stars)
    model = small_best.recommender.model
    d = len(model.newcomers.center)
    found = model.users[users, :d] @ model.films[movies, :d].T
    np.testing.assert_allclose(found, np.mean(predictions, axis=0), atol=2e-4)


def test_error_comes_near_the_least_possible(small_world, small_best):
    """Measured against the expected ratings of the simulated world, which have no noise."""
    rec, truth = small_best.recommender, small_world.truth
    test = small_best.rows("test")
    ids = rec.features.users.decode(test.user_idx), rec.features.movies.decode(test.movie_idx)
    expected = truth.expected_rating(*ids)
    train_rows = small_best.rows("train")
    means = np.bincount(train_rows.movie_idx, train_rows.rating) / np.maximum(
        np.bincount(train_rows.movie_idx), 1
    )
    by_mean = rating_metrics(expected, means[test.movie_idx])["rmse"]
    assert rating_metrics(expected, rec.predict(*ids))["rmse"] < 0.7 * by_mean


def test_user_and_film_without_ratings_have_vectors(plain_tables):
    """User 6 has one rating and film 8 too: both are left out of what is learned from."""
    features = Features.fit(plain_tables)
    pairs = [(1, 2, 3.0), (1, 3, 4.0), (2, 3, 5.0), (2, 5, 2.0), (4, 2, 1.0), (4, 5, 3.0)]
    rows = rows_of(
        [(features.users.encode([u])[0], features.movies.encode([m])[0], r) for u, m, r in pairs]
    )
    nothing = rows_of([(0, 0, 0.0)]).take(np.zeros(0, np.int64))
    fitted = fit_ratings(features, rows, nothing, TINY, seed=0)
    users, movies = fitted.vectors(features)
    unrated = features.users.encode([6]), features.movies.encode([6, 8])
    assert np.isnan(users[unrated[0]]).all()  # which the model then fills in
    assert np.isnan(movies[unrated[1]]).all()
    history = pd.DataFrame(fitted.history)
    trained = Trained({}, users, movies, history, 1, {})
    model = complete(trained, features, rows, nothing, seed=0)
    for array in (model.users, model.films, *model.watching, *model.newcomers, *model.certainty):
        assert np.isfinite(array).all()
    assert np.abs(model.films[unrated[1]]).sum() > 0
    assert (model.watching.own[unrated[1]] > 0).all()


@pytest.mark.parametrize("bad", [np.inf, np.nan])
def test_vectors_that_are_not_finite_are_refused(small_best, bad):
    rec, rows = small_best.recommender, small_best.rows("train")
    users, films = rec.model.users[:, :-2], rec.model.films[:, :-2].copy()
    films[3, 1] = bad
    trained = Trained({}, users, films, small_best.history, 1, {})
    told = "movie vectors that are not finite; nothing was written. Lower the learning rate, or "
    with pytest.raises(InputError, match=told):
        complete(trained, rec.features, rows, rows, seed=0)


def test_history_shows_the_validation_error_of_the_first_member(small_tables, tmp_path):
    run = train(small_tables, TINY, run_dir=tmp_path / "run", validation_fraction=0.1)
    assert run.history["epoch"].tolist() == [1, 2, 3]
    assert run.history["val_loss"].iloc[-1] < run.history["val_loss"].iloc[0]
    assert run.info["rows"]["validation"] > 0
    assert run.metrics["validation"]["mse"] < run.history["val_loss"].iloc[0]


def test_nothing_is_held_back_by_default_and_all_rows_can_be_trained_on(small_tables, tmp_path):
    run = train(small_tables, TINY, run_dir=tmp_path / "run", holdout="none")
    assert run.info["rows"] == {"train": len(small_tables.ratings), "validation": 0, "test": 0}
    assert run.metrics == {"validation": None, "test": None}
    assert run.seconds["compile"] == 0 < run.seconds["train"]


def test_ones_of_a_pass_are_as_narrow_as_the_vectors_that_they_add_up():
    ratings = sp.csr_array(np.array([[4, 0, 1], [0, 2, 0]], np.float32))
    found = ones(ratings, 0, 2)
    assert found.dtype == np.float32
    assert found.toarray().tolist() == [[1, 0, 1], [0, 1, 0]]


def test_rows_with_as_many_ratings_stay_in_their_order():
    count = np.random.default_rng(0).integers(1, 4, 500)
    rated, number = _rated(np.repeat(np.arange(500), count))
    assert rated.tolist() == sorted(range(500), key=lambda row: (-count[row], row))
    assert rated[number].tolist() == np.repeat(np.arange(500), count).tolist()


def test_all_passes_go_by_the_spread_that_is_given(small_features, tiny_rows):
    functions = []

    def spread(function, held, blocks):
        functions.append(function)
        return by_threads(function, held, blocks)

    nothing, one = tiny_rows.take(np.zeros(0, np.int64)), replace(TINY, members=1)
    fit_ratings(small_features, tiny_rows, nothing, one, seed=0, spread=spread)
    assert len(functions) == 2 * TINY.passes


def test_every_second_member_has_a_noise_of_each_users_own(small_features, tiny_rows):
    nothing, three = tiny_rows.take(np.zeros(0, np.int64)), replace(TINY, members=3, passes=1)
    fitted = fit_ratings(small_features, tiny_rows, nothing, three, seed=0)
    assert [len(np.unique(each.weight)) > 1 for each in fitted.members] == [False, True, False]


def test_an_interrupt_ends_all_members_after_the_pass_under_way(small_features, tiny_rows):
    """A thousand passes would take minutes."""
    passed = []

    def interrupted(row):
        passed.append(row)
        raise KeyboardInterrupt

    long = BestRecipe("long", factors=6, passes=1000, members=2)
    nothing = tiny_rows.take(np.zeros(0, np.int64))
    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        fit_ratings(small_features, tiny_rows, nothing, long, seed=0, on_epoch=interrupted)
    assert len(passed) == 1
    assert time.perf_counter() - began < 20


@pytest.mark.parametrize(("users", "movies"), [(1, 6), (6, 1), (1, 1)])
def test_one_user_or_one_film_is_enough(users, movies, tmp_path):
    pairs = np.indices((users, movies)).reshape(2, -1)
    tables = Tables(
        users=pd.DataFrame({"user_id": range(users)}),
        movies=pd.DataFrame(
            {
                "movie_id": range(movies),
                "title": "Sea",
                "genres": "Drama",
                "year": pd.array([2000] * movies, dtype="Int64"),
            }
        ),
        ratings=pd.DataFrame(
            {
                "user_id": pairs[0],
                "movie_id": pairs[1],
                "rating": (0.5 * (1 + pairs.sum(axis=0))).astype(np.float32),
                "timestamp": 0,
            }
        ),
    )
    run = train(tables, TINY, run_dir=tmp_path / "run", holdout="none")
    stars = run.recommender.predict(pairs[0], pairs[1])
    assert np.isfinite(stars).all()
    assert np.abs(stars - tables.ratings["rating"]).max() <= 1.5
    assert len(run.recommender.for_user(0, exclude_seen=False)) == movies


def test_many_genres_make_no_pairs():
    names = [f"Kind {i}" for i in range(MOST_PAIRED + 1)]
    movies = pd.DataFrame(
        {
            "movie_id": range(41),
            "title": "Sea",
            "genres": names,
            "year": pd.array([2000] * 41, "Int64"),
        }
    )

    def columns(count):
        tables = Tables(
            users=pd.DataFrame({"user_id": [1]}),
            movies=movies.head(count),
            ratings=pd.DataFrame(
                {"user_id": [1], "movie_id": [0], "rating": np.float32([3]), "timestamp": [0]}
            ),
        )
        return movie_attributes(Features.fit(tables)).shape[1]

    assert columns(41) < 150
    assert columns(40) - columns(39) == 39 + 2  # the pairs of one more, and what it has alone


@pytest.mark.parametrize(("name", "value"), [("factors", 0), ("passes", 2.5), ("user_ridge", -1)])
def test_settings_out_of_range_are_refused(name, value):
    expected = "expected a number above 0" if "ridge" in name else "expected a whole number above 0"
    with pytest.raises(InputError, match=f"got {name.replace('_', ' ')} {value}; {expected}"):
        BestRecipe("mine", **{name: value})


def test_people_of_whom_nothing_is_known_stand_at_the_mean_of_all(small_features):
    rows = user_attributes(small_features)[small_features.users.used]
    nobody = encode_people(small_features)
    np.testing.assert_allclose(nobody[0], rows.mean(axis=0), atol=1e-6)
    woman = encode_people(small_features, gender=0)
    assert woman[0, :2] == pytest.approx([SCALE, 0])
    np.testing.assert_allclose(woman[0, 2:], nobody[0, 2:])


def test_attributes_of_some_rows_are_those_of_all(plain_tables, small_features, small_tables):
    many = [f"G{n}|G{n + 1}" for n in range(len(small_tables.movies))]  # too many to be paired
    tagged = replace(small_tables, movies=small_tables.movies.assign(genres=many))
    for features in (small_features, Features.fit(plain_tables), Features.fit(tagged)):
        people, films = user_attributes(features), movie_attributes(features)
        for rows in (slice(0), [2], np.array([3, 1])):
            assert np.array_equal(user_attributes(features, rows), people[rows])
            assert np.array_equal(movie_attributes(features, rows), films[rows])


def test_attributes_of_films_hold_without_genres_and_years(plain_tables):
    features = Features.fit(plain_tables)
    attributes = movie_attributes(features)
    assert np.isfinite(attributes).all()
    timeless = features.movies.encode([3])[0]  # Red Sea, of unknown year
    genres = len(features.genres) - 1
    periods = slice(genres, genres + 19)
    assert not attributes[timeless, periods].any()
    assert attributes[features.movies.encode([5])[0], :genres].sum() == 0  # no genres listed


def test_attributes_of_a_film_are_genres_their_pairs_and_its_time(plain_tables):
    features = Features.fit(plain_tables)
    places = {genre: place - 1 for place, genre in enumerate(features.genres)}
    (film,) = movie_attributes(features, features.movies.encode([2]))  # Red Hill (1950), a drama
    kinds, periods = len(places) - 1, np.arange(1920, 2031, 6)
    alone = np.zeros(kinds)
    alone[places["Drama"]] = 0.3
    np.testing.assert_allclose(film[:kinds], alone, rtol=1e-5)
    near = film[kinds : kinds + len(periods)]
    np.testing.assert_allclose(near, 0.3 * np.exp(-(((1950 - periods) / 6) ** 2) / 2), atol=1e-6)
    rest = film[kinds + len(periods) :]
    np.testing.assert_allclose(rest[:kinds], 0.5 * alone * (1950 - 1985) / 15, rtol=1e-5)
    assert not rest[kinds:-1].any()
    assert rest[-1] == pytest.approx(0.3)
    (film,) = movie_attributes(features, features.movies.encode([3]))  # of two genres, no year
    assert sorted(film[-4:]) == pytest.approx([0, 0, 0.3 / 2, 0.3 * 0.6])
    assert film[-1] == pytest.approx(0.3 / 2)
    assert not film[kinds:-4].any()


def test_leverage_is_what_a_rating_adds_by_way_of_both_its_vectors(tiny_rows):
    attributes = np.zeros((12, 0), np.float32), np.zeros((9, 0), np.float32)
    model = fit_factors(tiny_rows, attributes, TINY, 1, noise_by_user=True)
    sides = [
        (
            np.einsum("nr,rij->nij", side.doubt, side.basis),
            np.column_stack([side.mean[:, :-1], np.ones(len(side.mean))]),
        )
        for side in (model.users, model.movies)
    ]
    expected = []
    for u, m in zip(*tiny_rows[:2], strict=True):
        (of_user, p), (of_film, q) = (
            (doubt[row], met[row]) for (doubt, met), row in zip(sides, (u, m), strict=True)
        )
        doubt = q @ of_user @ q + p @ of_film @ p
        expected.append(1.2 * model.weight[u] * model.movie_weight[m] / model.noise * doubt)
    found = leverage(model, tiny_rows)
    np.testing.assert_allclose(found, np.clip(expected, 0, 0.7), rtol=1e-3)
    assert len(np.unique(found)) > len(found) / 2


def test_predictions_are_products_of_the_vectors(small_best):
    rec, test = small_best.recommender, small_best.rows("test")
    stars = pair_scores(rec.model.users, rec.model.films, test.user_idx, test.movie_idx)
    found = rec.scorer.stars(test.user_idx, test.movie_idx)
    np.testing.assert_allclose(found, np.clip(stars, 1, 5))
    assert small_best.metrics["test"] == pytest.approx(rating_metrics(test.rating, found))


@pytest.mark.parametrize("left_at", [1, 3, 5])
def test_interrupted_training_goes_on_with_the_same_bits(
    left_at, small_tables, tmp_path, monkeypatch
):
    """After a pass of the first member, between two members, and within the second."""
    monkeypatch.setattr(best, "KEEP_EVERY", 0.0)
    whole = train(small_tables, TINY, run_dir=tmp_path / "whole")
    passes = []

    def fit_until(*arguments, **settings):
        on_pass = settings["on_pass"]

        def passed(number, factors):
            on_pass(number, factors)
            passes.append(number)
            if len(passes) == left_at:
                raise KeyboardInterrupt

        return fit_factors(*arguments, **settings | {"on_pass": passed})

    monkeypatch.setattr(best, "fit_factors", fit_until)
    with pytest.raises(KeyboardInterrupt):
        train(small_tables, TINY, run_dir=tmp_path / "run")
    run = train(small_tables, TINY, run_dir=tmp_path / "run", resume=True)
    assert len(passes) == 6
    np.testing.assert_array_equal(run.recommender.model.users, whole.recommender.model.users)
    np.testing.assert_array_equal(run.recommender.model.films, whole.recommender.model.films)
    assert run.history["epoch"].tolist() == [1, 2, 3]
    assert not (tmp_path / "run.partial").exists()


@pytest.mark.parametrize("fault", ["shape", "missing", "passes"])
def test_checkpoint_that_holds_no_models_is_refused(fault, small_tables, tmp_path, monkeypatch):
    monkeypatch.setattr(best, "KEEP_EVERY", 0.0)
    written = []

    def kept(self, state, arrays):
        arrays = dict(arrays)
        if fault == "shape":
            arrays["0.users.mean"] = arrays["0.users.mean"][1:]
        elif fault == "missing":
            del arrays["0.step"]
        else:
            state.steps = 99
        write(self, state, arrays)
        written.append(state)
        raise KeyboardInterrupt

    write = Checkpoint.write
    monkeypatch.setattr(Checkpoint, "write", kept)
    with pytest.raises(KeyboardInterrupt):
        train(small_tables, TINY, run_dir=tmp_path / "run")
    told = {"shape": "0.users.mean of shape", "missing": "0.step", "passes": "99 passes"}[fault]
    with pytest.raises(InputError, match=rf"cannot be read \(.*{told}.*; train without --resume"):
        train(small_tables, TINY, run_dir=tmp_path / "run", resume=True)
    assert len(written) == 1
