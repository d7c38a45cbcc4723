"""The contract of what trains: any recipe gives a run, and is asked only for what it has."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import pytest
from worlds import MeansRecipe, drawn_tables

from movierec import spread
from movierec.data.tables import Tables
from movierec.errors import InputError
from movierec.models.best import BestRecipe
from movierec.models.recipe import Job, Recipe, Trained, resolve_recipe
from movierec.registry import offered
from movierec.runs import load_run
from movierec.spread import by_threads
from movierec.training import train

MEANS = MeansRecipe("means")
QUICK_BEST = BestRecipe("best", factors=3, passes=1, members=1)


@pytest.fixture(scope="module")
def tables() -> Tables:
    return drawn_tables()


# --- a recipe of one's own -----------------------------------------------------------------------


@dataclass(frozen=True)
class Watched(MeansRecipe):
    """Keeps the job that it gets; has a setting, an ability and packages of its own."""

    damping: float = 5.0
    supports = frozenset({"damping", "resume"})
    packages = ("pytest",)

    def fit(self, job: Job) -> Trained:
        JOBS.append(job)
        return super().fit(job)

    def starting_at(self, mean: float) -> Watched:
        return dataclasses.replace(self, damping=mean)


JOBS: list[Job] = []


def test_a_job_is_what_is_to_be_learned_from_and_the_run_says_how(tables, tmp_path):
    run = train(tables, Watched("mine"), seed=3, run_dir=tmp_path / "r", validation_fraction=0.2)
    job = JOBS.pop()
    assert (job.seed, job.tensorboard, job.start_from) == (3, None, None)
    for part, given in (("train", job.learned), ("validation", job.chosen)):
        expected = run.rows(part)
        assert len(expected.rating) > 0
        # the batches' order is the recipe's own affair: the same rows, in any order
        assert sorted(zip(*given, strict=True)) == sorted(zip(*expected, strict=True))
    assert job.features.genres == run.features.genres
    mean = float(run.rows("train").rating.mean(dtype=np.float64))
    assert run.config["damping"] == pytest.approx(mean)
    told = {"recipe": "mine", "seed": 3, "validation_fraction": 0.2, "holdout_seed": 0}
    assert told.items() <= run.config.items()
    assert "pytest" in run.info["versions"]
    assert "tensorflow" not in run.info["versions"]
    assert set(run.weights) == {"users", "films"}
    assert run.info["parameters"] == sum(weight.size for weight in run.weights.values())
    assert not (tmp_path / "r.partial").exists()
    assert all(0 <= seconds < 600 for seconds in run.seconds.values())
    assert run.seconds["prepare"] > 0


def test_another_seed_keeps_other_rows_back(tables, tmp_path):
    chosen = []
    for seed in (0, 1):
        train(tables, Watched("mine"), seed=seed, run_dir=tmp_path / "r", validation_fraction=0.2)
        chosen.append(JOBS.pop().chosen)
    assert set(zip(*chosen[0][:2], strict=True)) != set(zip(*chosen[1][:2], strict=True))


def test_stars_are_the_recipes_and_what_is_watched_is_the_same_for_all(tables, tmp_path):
    own = train(tables, MEANS, run_dir=tmp_path / "own")
    best = train(tables, QUICK_BEST, run_dir=tmp_path / "best")
    assert np.array_equal(own.recommender.model.users[:, :-2], own.weights["users"])
    assert np.array_equal(own.recommender.model.films[:, :-2], own.weights["films"])
    watching = own.recommender.model.watching, best.recommender.model.watching
    assert all(map(np.array_equal, *watching))
    again = train(tables, MEANS, run_dir=tmp_path / "again")
    for name in ("stars", "watching", "newcomers"):
        first, second = (run.path / f"{name}.safetensors" for run in (own, again))
        assert first.read_bytes() == second.read_bytes()


def test_rows_without_a_vector_get_those_of_newcomers(tables, tmp_path):
    class Forgetful(MeansRecipe):
        def fit(self, job: Job) -> Trained:
            trained = super().fit(job)
            trained.users[[4, 5]] = np.nan
            trained.movies[6] = np.nan
            return trained

    run = train(tables, Forgetful("forgetful"), run_dir=tmp_path / "run", holdout="none")
    rec, user = run.recommender, tables.users.iloc[3]
    assert np.isfinite(rec.model.users).all()
    assert np.isfinite(rec.model.films).all()
    told = (str(user["gender"]), int(user["age"]), int(user["occupation"]))
    new = rec.new_user(None, *told)
    assert rec.person(12).vector == pytest.approx(new.vector, abs=1e-5)
    assert len(rec.for_user(12)) > 0
    assert 6 in rec.for_user(12, 100, exclude_seen=False)["movie_id"].tolist()


@pytest.mark.parametrize("bad", [np.inf, -np.inf])
def test_stars_that_are_not_finite_leave_no_run(tables, tmp_path, bad):
    class Broken(MeansRecipe):
        def fit(self, job: Job) -> Trained:
            trained = super().fit(job)
            trained.users[3, 0] = bad
            return trained

    with pytest.raises(InputError, match="user vectors that are not finite; nothing was written"):
        train(tables, Broken("broken"), run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_what_holds_nothing_out_has_no_errors(tables, tmp_path):
    run = train(tables, MEANS, run_dir=tmp_path / "run", holdout="none")
    assert run.info["rows"] == {"train": len(tables.ratings), "validation": 0, "test": 0}
    assert run.metrics == {"validation": None, "test": None}


# --- what is asked of a recipe -------------------------------------------------------------------


def test_recipes_are_found_by_name():
    assert offered("recipes") == ("best", "classic", "distilled", "fast")
    assert [resolve_recipe(name).name for name in offered("recipes")] == list(offered("recipes"))
    assert resolve_recipe(MEANS) is MEANS
    with pytest.raises(InputError, match="unknown recipe 'clasic'; expected one of best, classic"):
        resolve_recipe("clasic")
    for what in (None, 3, MeansRecipe):
        with pytest.raises(InputError, match="as recipe; expected a name or a Recipe"):
            resolve_recipe(what)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"epochs": 3}, "epochs 3"),
        ({"batch_size": 3}, "batch size 3"),
        ({"learning_rate": 0.5}, "learning rate 0.5"),
        ({"patience": 3}, "patience 3"),
        ({"start_from": "elsewhere"}, "a run to start from"),
        ({"tensorboard": "logs"}, "TensorBoard logs"),
    ],
    ids=str,
)
@pytest.mark.parametrize("recipe", ["best", MEANS], ids=["best", "own"])
def test_what_a_recipe_does_not_have_is_refused_with_those_that_have_it(
    tables, tmp_path, asked, told, recipe
):
    name = recipe if recipe == "best" else "means"
    message = (
        f"got {told}, which the recipe '{name}' does not have; leave it out, or name another "
        r"recipe \(classic, distilled, fast\)"
    )
    with pytest.raises(InputError, match=message):
        train(tables, recipe, run_dir=tmp_path / "run", **asked)
    assert not list(tmp_path.iterdir())


def test_recipe_that_keeps_no_state_is_not_resumed(tables, tmp_path):
    known = r"\(best, classic, distilled, fast\)"
    message = r"got --resume, which the recipe 'means' does not have; .*" + known
    with pytest.raises(InputError, match=message):
        train(tables, MEANS, run_dir=tmp_path / "run", resume=True)
    assert not list(tmp_path.iterdir())


def test_several_workers_need_a_recipe_that_has_them(tables, tmp_path, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{}")
    with pytest.raises(
        InputError, match=r"several workers \(TF_CONFIG\).*\(classic, distilled, fast\)"
    ):
        train(tables, run_dir=tmp_path / "run")


def test_a_recipe_gets_what_its_work_is_spread_by_and_a_place_below_folders_that_are_not_there(
    tables, tmp_path, monkeypatch
):
    class Spreading(Watched):
        supports = frozenset({"cluster"})

    asked = []

    def dask(workers, scheduler):
        asked.append((workers, scheduler))
        return nullcontext(by_two)

    def by_two(function, held, blocks):
        return by_threads(function, held, blocks)

    monkeypatch.setattr(spread, "offer", lambda kind, name: dask)
    train(tables, Spreading("mine"), run_dir=tmp_path / "a" / "b" / "run", workers=2)
    assert asked == [(2, None)]
    assert JOBS.pop().spread is by_two
    assert load_run(tmp_path / "a" / "b" / "run").config["recipe"] == "mine"


def test_setting_that_no_recipe_has_is_said_so():
    with pytest.raises(InputError, match="got damping 2, .*none of those here has it"):
        resolve_recipe("best", damping=2)


def test_settings_that_a_recipe_has_replace_its_own():
    recipe = Watched("mine")
    assert resolve_recipe(recipe, damping=2.0).damping == 2.0
    # what is not asked for, and abilities, change nothing
    assert resolve_recipe(recipe, damping=None, resume=True, workers=False, epochs=None) is recipe


def test_a_recipe_has_to_say_how_it_trains():
    with pytest.raises(TypeError, match="abstract"):
        Recipe("nothing")


def test_checkpoint_of_a_training_that_was_interrupted_goes_when_another_is_done(
    tables, tmp_path, capsys
):
    left = tmp_path / "run.partial"
    left.mkdir()
    (left / "checkpoint.safetensors").write_bytes(b"of a network")
    train(tables, MEANS, run_dir=tmp_path / "run")
    assert not left.exists()
    assert f"removing {left}, of an interrupted training" in capsys.readouterr().err


def test_where_a_training_starts_and_logs_is_in_its_job(tables, tmp_path, caplog):
    class Able(Watched):
        supports = frozenset({"start_from", "tensorboard"})

    first = train(tables, MEANS, run_dir=tmp_path / "first")
    given = {"start_from": first.path, "tensorboard": tmp_path / "logs"}
    with caplog.at_level("INFO", "movierec"):
        run = train(tables, Able("able"), seed=2, run_dir=tmp_path / "run", **given)
    job = JOBS.pop()
    assert (job.start_from.path, job.tensorboard) == (first.path, tmp_path / "logs" / "run")
    assert run.config["start_from"] == first.info["files"]["weights.safetensors"]
    told = f"training able for {run.path}: rows {run.info['rows']}, seed 2"
    assert told in [record.getMessage() for record in caplog.records]


def test_what_is_complete_is_not_trained_again(tables, tmp_path, capsys):
    given = {"run_dir": tmp_path / "run", "validation_fraction": 0.2, "resume": True}
    first = train(tables, Watched("mine"), **given)
    assert len(JOBS) == 1
    assert "there is no checkpoint in" in capsys.readouterr().err
    written = (first.path / "run.json").read_bytes()
    assert train(tables, Watched("mine"), **given).info == first.info
    assert f"{first.path} is already complete" in capsys.readouterr().err
    for other in ({"seed": 1}, {"holdout_fraction": 0.2}, {"validation_fraction": 0.1}):
        with pytest.raises(InputError, match="a complete run of other settings or other data"):
            train(tables, Watched("mine"), **given | other)
    movies, users, ratings = tables.movies, tables.users, tables.ratings
    renamed = movies["genres"].str.replace("War", "Peace")
    for name, frame in (
        ("movies", movies.assign(year=movies["year"] + 1)),
        ("movies", movies.assign(genres=renamed)),
        ("movies", movies.assign(title=movies["title"].str.replace("Red", "Blue"))),
        ("users", users.assign(gender=users["gender"].replace({"F": "M", "M": "F"}))),
        ("ratings", ratings.assign(rating=ratings["rating"].where(ratings.index > 0, 1.5))),
        ("ratings", ratings.iloc[::-1]),
    ):
        with pytest.raises(InputError, match="a complete run of other settings or other data"):
            train(dataclasses.replace(tables, **{name: frame}), Watched("mine"), **given)
    assert (first.path / "run.json").read_bytes() == written
    JOBS.pop()
    assert not JOBS


# --- trained once --------------------------------------------------------------------------------


def test_taken_folder_is_refused_before_training(tables, tmp_path):
    class Never(MeansRecipe):
        def fit(self, job: Job) -> Trained:
            raise AssertionError("trained first")

    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="exists and is not a run folder"):
        train(tables, Never("never"), run_dir=tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "x"


def test_failed_training_leaves_the_earlier_run(tables, tmp_path):
    class Failing(MeansRecipe):
        def fit(self, job: Job) -> Trained:
            raise InputError("the loss became nan")

    run = train(tables, MEANS, run_dir=tmp_path / "run")
    with pytest.raises(InputError, match="the loss became nan"):
        train(tables, Failing("failing"), run_dir=run.path)
    assert list(tmp_path.iterdir()) == [run.path]
    assert load_run(run.path).info == run.info


def test_run_without_a_folder_is_named_after_data_and_recipe(tables, tmp_path, monkeypatch):
    monkeypatch.setenv("MOVIEREC_REPORTS", str(tmp_path))
    assert train(tables, MEANS).path == tmp_path / "drawn-means"
