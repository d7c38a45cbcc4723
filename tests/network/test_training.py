"""The loop learns, keeps the best state, repeats itself by seed, and refuses what cannot be."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import keras
import numpy as np
import pytest

from movierec import baselines
from movierec.data.splits import split
from movierec.data.tables import Tables
from movierec.errors import InputError
from movierec.evaluation.metrics import rating_metrics
from movierec.models.recipe import resolve_recipe
from movierec.network.fitting import fit, loss
from movierec.network.network import load_network, untrained_network
from movierec.network.recipes import CLASSIC, FAST, NetworkRecipe
from movierec.network.settings import NetworkConfig
from movierec.runs import encode_rows
from movierec.sample.simulate import simulate
from movierec.training import train
from movierec.vectors import Rows

pytestmark = pytest.mark.long

# one window of titles in place of four: a step is traced in half the time
NARROW = NetworkConfig(windows=(2,))
QUICK = NetworkRecipe("quick", network=NARROW, epochs=3, batch_size=64, learning_rate=0.01)


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("MOVIEREC_PROGRESS", "off")


class Counts(NamedTuple):
    users: int
    movies: int


class Factors(keras.Model):
    """The least that the loop can train: a vector a user and a vector a movie."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        self.sizes = Counts(30, 20)
        start = [keras.initializers.RandomUniform(0.2, 1.0, seed=seed + i) for i in range(2)]
        self.users = self.add_weight(shape=(30, 4), initializer=start[0], name="users")
        self.movies = self.add_weight(shape=(20, 4), initializer=start[1], name="movies")
        self.built = True

    def user_vectors(self, user_idx):
        return keras.ops.take(self.users, user_idx, axis=0)

    def movie_vectors(self, movie_idx, training=False):
        return keras.ops.take(self.movies, movie_idx, axis=0)


def some_rows(n: int, seed: int = 0) -> Rows:
    """Ratings that are a film's own stars."""
    rng = np.random.default_rng(seed)
    movie_idx = rng.integers(0, 20, n).astype(np.int32)
    stars = (1 + movie_idx % 5).astype(np.float32)
    return Rows(rng.integers(0, 30, n).astype(np.int32), movie_idx, stars)


def state(model: keras.Model) -> list[np.ndarray]:
    return [variable.numpy() for variable in model.trainable_variables]


# --- the loop ------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [False, True])
def test_loop_learns_any_model_of_two_vectors(share):
    model = Factors()
    recipe = NetworkRecipe("x", epochs=40, batch_size=64, learning_rate=0.02, share_towers=share)
    result = fit(model, some_rows(1000), some_rows(200, seed=1), recipe)
    assert result.history["val_loss"].iloc[0] > 1
    assert result.history["val_loss"].iloc[-1] < 0.1


def test_history_has_a_row_an_epoch():
    model, validation = Factors(), some_rows(100, seed=1)
    result = fit(model, some_rows(500), validation, QUICK)
    history = result.history
    assert history["epoch"].tolist() == [1, 2, 3]
    assert {"train_loss", "val_loss", "learning_rate", "seconds"} <= set(history.columns)
    assert history["seconds"].is_monotonic_increasing
    assert history["learning_rate"].tolist() == pytest.approx([0.01] * 3)
    assert set(result.seconds) >= {"compile", "train"}


@pytest.mark.parametrize("batch_size", [64, 100, 499, 500, 10_000])
def test_training_loss_is_the_mean_over_all_rows_whatever_the_batches(batch_size):
    """With a rate near zero the model stands still, so the epoch's loss is the model's."""
    model, rows = Factors(), some_rows(500)
    still = NetworkRecipe("still", epochs=1, batch_size=batch_size, learning_rate=1e-12)
    result = fit(model, rows, rows, still)
    assert result.history["train_loss"].iloc[0] == pytest.approx(loss(model, rows), rel=1e-5)
    assert result.history["val_loss"].iloc[0] == pytest.approx(loss(model, rows), rel=1e-5)


def test_loss_is_the_mean_squared_error():
    model, rows = Factors(), some_rows(300)
    users, movies = state(model)
    predicted = (users[rows.user_idx] * movies[rows.movie_idx]).sum(axis=1)
    assert loss(model, rows) == pytest.approx(np.mean((predicted - rows.rating) ** 2), rel=1e-5)


def test_model_is_left_in_the_state_that_was_best_on_validation():
    """A rate that overshoots makes a later epoch worse; the best one is kept."""
    model, validation = (
        Factors(),
        some_rows(60, seed=1)._replace(
            rating=np.full(60, 3, dtype=np.float32)  # what the model leaves again as it learns on
        ),
    )
    recipe = NetworkRecipe("x", epochs=20, batch_size=64, learning_rate=0.03)
    result = fit(model, some_rows(1000), validation, recipe)
    losses = result.history["val_loss"]
    assert losses.iloc[-1] > losses.min()  # else this test would show nothing
    assert result.best_epoch == result.history["epoch"][losses.idxmin()]
    assert loss(model, validation) == losses.min()


def test_without_validation_rows_the_last_state_is_kept():
    with_rows, without = Factors(), Factors()
    rows, none = some_rows(500), some_rows(0)
    last = fit(without, rows, none, QUICK)
    assert last.best_epoch == 3
    assert last.history["val_loss"].isna().all()
    # the same training seen from its validation side: the last epoch is its best here
    seen = fit(with_rows, rows, rows, QUICK)
    assert seen.best_epoch == 3
    assert all(map(np.array_equal, state(with_rows), state(without)))


def test_best_state_by_validation_changes_nothing_in_the_training():
    first, second = (
        fit(Factors(), some_rows(500), some_rows(n, seed=1), QUICK).history["train_loss"]
        for n in (10, 200)
    )
    assert first.tolist() == second.tolist()


def test_same_seed_is_the_same_to_the_bit_and_another_is_not():
    results = []
    for seed in (5, 5, 6):
        model = Factors()
        history = fit(model, some_rows(500), some_rows(100, seed=1), QUICK, seed).history
        results.append((state(model), history["val_loss"].tolist()))
    assert all(map(np.array_equal, results[0][0], results[1][0]))
    assert results[0][1] == results[1][1]
    assert results[0][1] != results[2][1]


def test_loss_that_is_no_number_is_refused():
    rows = some_rows(500)
    rows.rating[123] = np.nan
    with pytest.raises(InputError, match=r"the loss became nan in epoch 1, step \d+ of 24; lower"):
        fit(Factors(), rows, some_rows(10), QUICK)


def test_rate_that_makes_training_diverge_is_refused():
    wild = NetworkRecipe("wild", epochs=3, batch_size=64, learning_rate=1e20)
    with pytest.raises(InputError, match=r"the loss became (nan|inf).*\(it was 1e\+20\)"):
        fit(Factors(), some_rows(500), some_rows(10), wild)


def test_no_training_rows_are_refused():
    with pytest.raises(InputError, match="no training rows"):
        fit(Factors(), some_rows(0), some_rows(10), QUICK)


def test_cosine_schedule_warms_up_and_ends_at_zero():
    recipe = dataclasses.replace(QUICK, schedule="cosine", epochs=10)
    history = fit(Factors(), some_rows(500), some_rows(10), recipe).history
    rates = history["learning_rate"]
    assert rates.max() > 0.009
    assert rates.is_monotonic_decreasing
    assert rates.iloc[-1] == pytest.approx(0, abs=1e-6)


def test_progress_is_told_by_step_and_by_epoch():
    epochs, steps = [], []
    fit(
        Factors(),
        some_rows(500),
        some_rows(10),
        QUICK,
        on_epoch=epochs.append,
        on_progress=lambda done, total, mean: steps.append((done, total)),
    )
    assert [record["epoch"] for record in epochs] == [1, 2, 3]
    assert steps[-1] == (24, 24)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


@pytest.mark.parametrize("share", [False, True])
def test_optimizer_moves_rows_that_a_batch_does_not_touch(share):
    """Adam's momentum goes on, as in the document's dense update."""
    model = Factors()
    rows = Rows(*(np.array(column) for column in ([1, 2], [1, 2], [5, 5])))
    rows = Rows(rows.user_idx.astype("i4"), rows.movie_idx.astype("i4"), rows.rating.astype("f4"))
    before = state(model)
    visited: list[list[np.ndarray]] = []
    recipe = NetworkRecipe("x", epochs=1, batch_size=1, learning_rate=0.01, share_towers=share)
    fit(model, rows, some_rows(0), recipe, on_epoch=lambda record: visited.append(state(model)))
    moved = np.abs(visited[0][0] - before[0]).max(axis=1)
    assert moved[[1, 2]].max() > 1.4 * moved[[1, 2]].min()  # the first row took a second step
    assert moved[3:].max() == 0


# --- recipes -------------------------------------------------------------------------------------


def test_classic_is_the_documented_training():
    classic = CLASSIC
    assert (classic.epochs, classic.batch_size, classic.learning_rate) == (5, 256, 1e-4)
    assert (classic.schedule, classic.share_towers) == ("constant", False)
    assert classic.network.title_dropout == 0.5
    assert classic.network.windows == (2, 3, 4, 5)


def test_recipe_settings_can_be_replaced():
    recipe = resolve_recipe("classic", epochs=2, batch_size=10, learning_rate=0.5)
    assert (recipe.epochs, recipe.batch_size, recipe.learning_rate) == (2, 10, 0.5)
    assert recipe.network == CLASSIC.network
    assert resolve_recipe(QUICK) is not None


@pytest.mark.parametrize("name", ["epochs", "batch_size", "patience", "learning_rate"])
@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_setting_out_of_range_is_refused(name, value):
    with pytest.raises(
        InputError, match=f"{name.replace('_', ' ')} {value}; expected a (whole )?number"
    ):
        resolve_recipe("classic", **{name: value})


@pytest.mark.parametrize("name", ["epochs", "batch_size", "patience"])
def test_setting_that_must_be_whole_is_refused_as_a_fraction(name):
    with pytest.raises(InputError, match=name.replace("_", " ")):
        resolve_recipe("classic", **{name: 2.5})


# --- the whole line ------------------------------------------------------------------------------


def test_network_learns_the_simulated_truth_better_than_biases(tmp_path):
    """Against the expected ratings, which no noise blurs."""
    world = simulate(n_users=400, n_movies=100, n_ratings=25_000, seed=1)
    run = train(world.tables, recipe="fast", epochs=10, batch_size=512, run_dir=tmp_path / "run")
    rows = encode_rows(world.tables, run.features)
    test = run.rows("test")
    ratings = world.tables.ratings[run.part == "test"]
    truth = world.truth.expected_rating(ratings["user_id"], ratings["movie_id"])
    known = rows.take(np.flatnonzero(run.part != "test"))
    sizes = len(run.features.users), len(run.features.movies)
    simple = baselines.biases(known, *sizes).predict(test.user_idx, test.movie_idx)
    learned = run.recommender.predict(ratings["user_id"], ratings["movie_id"])
    network, biases = (rating_metrics(truth, guess)["mse"] for guess in (learned, simple))
    assert network < 0.9 * biases
    assert run.metrics["test"]["rmse"] > world.truth.noise_rmse  # no model beats the noise


def test_same_seed_gives_the_same_run_to_the_bit(small_run, small_tables, tmp_path):
    again = train(small_tables, recipe="fast", epochs=3, batch_size=512, run_dir=tmp_path / "again")
    for part in ("weights", "stars", "watching", "newcomers"):
        first, second = (run.path / f"{part}.safetensors" for run in (small_run, again))
        assert first.read_bytes() == second.read_bytes()
    assert again.metrics == small_run.metrics
    assert again.info["rows"] == small_run.info["rows"]
    losses = ["epoch", "train_loss", "val_loss", "learning_rate"]
    assert again.history[losses].equals(small_run.history[losses])


def test_validation_rows_choose_and_test_rows_do_not(small_run):
    """Parts share no row, and the kept epoch is the one with the lowest validation loss."""
    assert (small_run.part == "validation").sum() == int(FAST.validation_fraction * 10_800)
    assert np.array_equal(
        np.flatnonzero(small_run.part == "test"), np.sort(split(small_run.tables.ratings)[1])
    )
    losses = small_run.history["val_loss"]
    assert small_run.best_epoch == small_run.history["epoch"][losses.idxmin()]


def test_stored_network_gives_the_stored_vectors(small_run):
    model = load_network(small_run)
    rows = small_run.rows("validation")
    # unclipped, so not quite the metric of the run
    assert loss(model, rows) == pytest.approx(small_run.history["val_loss"].min(), rel=1e-5)
    stored = small_run.recommender.model.users[1, :-2]
    found = keras.ops.convert_to_numpy(model.user_vectors(keras.ops.array([1], "int32")))[0]
    assert found == pytest.approx(stored, abs=1e-6)


def test_untrained_network_is_the_one_that_the_first_step_begins_with(small_tables, tmp_path):
    """A training that stands still ends where it began."""
    still = dataclasses.replace(FAST, epochs=1, learning_rate=1e-12)
    run = train(small_tables, still, seed=4, run_dir=tmp_path / "run")
    before = untrained_network(run)
    for variable in before.trainable_variables:
        assert variable.numpy() == pytest.approx(run.weights[variable.path], abs=1e-5)


def test_data_without_demographics_or_rows_to_choose_on_trains(plain_tables, tmp_path):
    settings = {"epochs": 2, "holdout": "none", "validation_fraction": 0}
    run = train(plain_tables, recipe="fast", run_dir=tmp_path / "run", **settings)
    assert run.recommender.for_user(6, k=2)["movie_id"].isin([2, 3, 5, 6]).all()
    assert load_network(run).count_params() == run.info["parameters"]
    assert set(run.part) == {"train"}
    assert run.best_epoch == 2
    assert run.history["val_loss"].isna().all()


# --- continuing from a run ------------------------------------------------------------------------


def test_training_is_continued_with_more_users_and_films(small_tables, small_run, tmp_path):
    """A run without some users and films, then all: it starts where the run ended."""
    few_users = small_tables.users[small_tables.users["user_id"] % 9 != 0]
    few_movies = small_tables.movies[small_tables.movies["movie_id"] % 11 != 0]
    ratings = small_tables.ratings
    known = ratings["user_id"].isin(few_users["user_id"])
    known &= ratings["movie_id"].isin(few_movies["movie_id"])
    occupations = small_tables.occupations
    fewer = Tables(few_users, few_movies, ratings[known], "fewer", occupations)
    before = train(fewer, QUICK, run_dir=tmp_path / "before", epochs=3)
    settings = {"epochs": 1, "learning_rate": 1e-4}
    after, begun = (
        train(small_tables, QUICK, run_dir=tmp_path / name, start_from=start, **settings)
        for name, start in (("after", before.path), ("begun", None))
    )
    assert after.history["val_loss"].iloc[0] < 0.9 * begun.history["val_loss"].iloc[0]
    assert after.config["start_from"] == before.info["files"]["weights.safetensors"]
    user = int(few_users["user_id"].iloc[-1])
    rows = [run.features.users.encode([user])[0] for run in (before, after)]
    name = "uid_embed_layer/embeddings"
    moved = after.weights[name][rows[1]] - before.weights[name][rows[0]]
    assert np.abs(moved).max() < 0.1


def test_run_of_other_dimensions_or_without_a_network_is_no_start(
    small_tables, small_run, drawn_run, tmp_path
):
    other = dataclasses.replace(QUICK, network=NetworkConfig(vector_dim=20))
    with pytest.raises(InputError, match="other dimensions than the one to be trained"):
        train(small_tables, other, run_dir=tmp_path / "run", start_from=small_run.path)
    with pytest.raises(InputError, match="recipe 'best', which has no network; train one with"):
        train(small_tables, QUICK, run_dir=tmp_path / "run", start_from=drawn_run.path)
    assert not (tmp_path / "run").exists()


def test_averaged_weights_are_kept_and_change_nothing_in_the_steps() -> None:
    """Three steps, over two of which it reaches back: a quarter, a quarter and a half."""
    rows, none = some_rows(50), some_rows(0)
    single = NetworkRecipe("x", batch_size=50, learning_rate=0.01)
    ends = []
    for epochs in (1, 2, 3):
        fit(model := Factors(), rows, none, dataclasses.replace(single, epochs=epochs))
        ends.append(state(model))
    fit(averaged := Factors(), rows, none, dataclasses.replace(single, epochs=3, average=2 / 3))
    for found, first, second, third in zip(state(averaged), *ends, strict=True):
        assert found == pytest.approx(first / 4 + second / 4 + third / 2, abs=1e-6)


def test_epsilon_above_the_gradients_moves_those_less_who_rate_seldom() -> None:
    ten, none = np.zeros(10, np.int32), some_rows(0)
    rows = Rows(np.append(ten, np.int32(1)), np.append(ten, np.int32(0)), np.ones(11, np.float32))
    moved = []
    for epsilon in (1e-7, 1.0):
        recipe = NetworkRecipe("x", epochs=1, batch_size=11, learning_rate=0.01, epsilon=epsilon)
        before = state(model := Factors())[0]
        fit(model, rows, none, recipe)
        moved.append(np.abs(state(model)[0] - before)[:2].max(axis=1))
    assert moved[0] == pytest.approx([0.01, 0.01], rel=1e-2)
    assert moved[1][1] < 0.5 * moved[1][0] < 0.005
