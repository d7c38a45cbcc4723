"""The command line: what it prints, and how it ends.

A start of Python, pandas and TensorFlow takes longer than most commands, so that tests call `main`
in the process of the tests; `process` is for streams and the exit status of a real one.
"""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from commands import movierec
from worlds import write_ml1m

from movierec import doctor, grouplens
from movierec.cli import training
from movierec.cli.main import COMMANDS
from movierec.data import splits
from movierec.errors import needs
from movierec.runs import Run, load_run
from movierec.sample.simulate import Simulation

pytestmark = pytest.mark.long

WORLD = ("--data", "ml-1m", "--from", "world")
OF_EXTRAS = ("movierec.reports", "movierec.serving", "movierec.network")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, small_world: Simulation, small_run: Run) -> Path:
    """A folder to work in: the small world's files in `world`, its run in `reports/small`."""
    folder = tmp_path_factory.mktemp("home")
    write_ml1m(small_world.tables, folder / "world")
    (folder / "reports").mkdir()
    (folder / "reports" / "small").symlink_to(small_run.path)
    return folder


@pytest.fixture(scope="module")
def trained(home: Path) -> tuple[Path, dict]:
    """A run on other held-out rows, and what its training printed."""
    settings = ("--recipe", "fast", "--epochs", "1", "--holdout", "origin", "--run", "trained")
    return home / "trained", answer(home, "train", *WORLD, *settings)


def process(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "movierec", *map(str, arguments)],
        cwd=home,
        env=os.environ | {"MOVIEREC_PROGRESS": "lines"},
        capture_output=True,
        text=True,
        timeout=300,
    )


def answer(home: Path, *arguments: str, run: Callable = movierec):
    """What a command prints with --json; nothing else may stand on its output."""
    done = run(home, *arguments, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def refused(home: Path, *arguments: str, run: Callable = movierec) -> str:
    """The message of a command that must end with exit status 2 and without a traceback."""
    done = run(home, *arguments)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.stderr


def test_help_names_every_command_and_marks_those_that_lack_an_extra(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "missing_extras", lambda: ["page"])
    told = movierec(home, "--help").stdout.split("Commands:\n")[1]
    lines = dict(line.split(None, 1) for line in told.splitlines()[: len(COMMANDS)])
    assert list(lines) == list(COMMANDS)
    assert [name for name, line in lines.items() if line.endswith(" [page]")] == ["app"]
    assert told.endswith("[NAME] has to be installed: pip install 'movierec[NAME]'\n")
    monkeypatch.setattr(doctor, "missing_extras", lambda: [])
    assert "[" not in movierec(home, "--help").stdout.split("Commands:\n")[1]


def test_the_command_line_loads_no_room_before_a_command_is_called() -> None:
    code = (
        "import sys, movierec.cli.main\n"
        "names = [name for name in sys.modules if name.startswith('movierec.')]\n"
        "print(*names, *({'pandas', 'numpy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {"movierec.cli", "movierec.cli.main", "movierec.errors"}


@pytest.mark.parametrize(
    ("arguments", "package", "extra"),
    [
        (("notebooks", "--data", "sample"), "papermill", "notebooks"),
        (
            ("train", "--recipe", "fast", "--data", "ml-1m", "--from", "world"),
            "tensorflow",
            "network",
        ),
        (
            ("recommend", "for-users", "u.parquet", "--workers", "2", "--out", "l"),
            "distributed",
            "batch",
        ),
        (("export", "--format", "onnx", "--out", "o"), "tf2onnx", "export"),
    ],
)
def test_a_command_without_its_packages_says_which_extra_it_needs(
    home: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple, package: str, extra: str
) -> None:
    for name in [name for name in sys.modules if name.startswith(OF_EXTRAS)]:
        monkeypatch.delitem(sys.modules, name)  # loaded by another test
    monkeypatch.setitem(sys.modules, package, None)  # an import of it fails
    message = refused(home, *arguments)
    told = f"needs {package}, which is not installed; pip install 'movierec[{extra}]'\n"
    assert message.startswith("movierec: ")
    assert message.endswith(told)


def test_a_missing_module_of_our_own_is_no_missing_extra() -> None:
    with pytest.raises(ModuleNotFoundError), needs("page", "the page"):
        importlib.import_module("movierec.no_such_module")


def test_export_writes_what_is_asked_for(home: Path) -> None:
    facts = answer(home, "export", "--format", "parquet", "--out", "elsewhere")
    assert facts == {"out": "elsewhere", "formats": "parquet", "functions": None}
    assert len(pd.read_parquet(home / "elsewhere" / "users.parquet")) == 300
    assert "not empty" in refused(home, "export", "--format", "parquet", "--out", "elsewhere")


def test_users_of_a_file_get_their_lists_from_two_workers(home: Path, small_run: Run) -> None:
    pd.DataFrame({"user_id": [5, 2, 9]}).to_parquet(home / "some.parquet")
    command = ("recommend", "for-users", "some.parquet", "-k", "4", "--workers", "2", "--out")
    facts = answer(home, *command, "lists")
    assert (facts["users"], facts["parts"]) == (3, 1)
    expected = small_run.recommender.for_users([5, 2, 9], k=4)
    found = pd.read_parquet(home / "lists")
    assert found["movie_id"].tolist() == expected["movie_id"].tolist()
    pd.DataFrame({"user_id": [5, 987_654]}).to_parquet(home / "some.parquet")
    # what a worker finds wrong is said as if there were none
    assert "unknown user id 987654" in refused(home, *command, "others")


def test_data_says_what_a_folder_holds(home: Path, small_world: Simulation) -> None:
    facts = answer(home, "data", "ml-1m", "--from", "world")
    ratings = small_world.tables.ratings
    assert (facts["users"], facts["ratings"]) == (300, len(ratings))
    assert facts["mean_rating"] == pytest.approx(ratings["rating"].mean(), abs=1e-4)


def test_data_of_the_sample_needs_no_file(home: Path) -> None:
    facts = answer(home, "data", "sample")
    assert (facts["users"], facts["path"]) == (1000, None)


def test_bad_data_is_refused_with_file_line_and_text(home: Path, tmp_path: Path) -> None:
    for name in ("users.dat", "movies.dat", "ratings.dat"):
        content = (home / "world" / name).read_bytes()
        (tmp_path / name).write_bytes(content + b"1::1::9::1\n" * (name == "ratings.dat"))
    source = ("--data", "ml-1m", "--from", str(tmp_path))
    message = refused(home, "train", *source, "--run", "bad", run=process)
    assert "ratings.dat, line 12001: got '1::1::9::1'" in message
    assert not (home / "bad").exists()


def test_train_gives_figures_and_a_run_folder(home: Path, trained: tuple[Path, dict]) -> None:
    run_dir, facts = trained
    assert facts["rows_tested"] == 2400
    assert facts["rows_trained"] + facts["rows_validated"] == 9600
    assert facts["rmse"] == pytest.approx(facts["mse"] ** 0.5)
    assert 0 < facts["mae"] < facts["rmse"] < 3
    assert min(facts[f"{step}_seconds"] for step in ("start", "load", "prepare", "compile")) > 0
    assert facts["seconds"] > 0
    measured = answer(home, "evaluate", "--run", run_dir)
    assert measured["mse"] == pytest.approx(facts["mse"])
    assert measured["baselines"]["biases"]["rmse"] > 0


def test_evaluate_prints_a_table_of_all_methods_that_fits_a_terminal(home: Path) -> None:
    lines = movierec(home, "evaluate", "--run", "reports/small", "-k", "5").stdout.splitlines()
    assert max(map(len, lines)) <= 120
    text = "\n".join(lines)
    for name in ("fast", "global mean", "factor model", "most often liked", "EASE"):
        assert f"\n {name} " in text
    assert re.search(r"\n fast +0\.\d{4} +0\.\d{3}–0\.\d{3} ", text)
    assert "1,200 test rows, lists of 5 films" in text


def test_evaluate_compares_runs_of_the_same_held_out_rows(
    home: Path, small_best: Run, trained: tuple[Path, dict]
) -> None:
    runs = ("--run", "reports/small", "--run", small_best.path)
    compared = answer(home, "evaluate", *runs)
    assert [run["method"] for run in compared["runs"]] == ["fast", "best"]
    gap = compared["runs"][1]["difference"]["rmse"]
    assert gap["low"] <= gap["difference"] <= gap["high"]
    assert "best minus fast" in movierec(home, "evaluate", *runs).stdout
    message = refused(home, "evaluate", *runs, "--run", trained[0])
    assert "different test rows" in message


def test_train_on_an_official_fold_holds_out_its_rows(home: Path, small_world: Simulation) -> None:
    tables = small_world.tables
    folder = home / "like-100k"
    folder.mkdir()
    users = tables.users.assign(job="none")[["user_id", "age", "gender", "job", "zip"]]
    users.to_csv(folder / "u.user", sep="|", header=False, index=False)
    films = [f"{i}|{title}||||1" for i, title in tables.movies[["movie_id", "title"]].to_numpy()]
    (folder / "u.item").write_text("\n".join(films), "latin-1")
    (folder / "u.genre").write_text("Drama|0\n")
    (folder / "u.occupation").write_text("none\n")
    ratings = tables.ratings.astype({"rating": int})
    for name, part in (("u.data", ratings), ("u3.test", ratings[::4])):
        part.to_csv(folder / name, sep="\t", header=False, index=False)
    source = ("--data", "ml-100k", "--from", "like-100k", "--recipe", "best")
    facts = answer(home, "train", *source, "--holdout", "u3", "--run", "fold")
    assert facts["rows_tested"] == 3000
    run = load_run(home / "fold")
    assert (run.part[::4] == "test").all()
    assert run.config["holdout"] == "given"
    assert len(run.config["holdout_sha256"]) == 64
    assert "u4.test is missing" in refused(home, "train", *source, "--holdout", "u4")


def test_the_command_line_offers_every_holdout() -> None:
    assert training.HOLDOUTS == splits.HOLDOUTS
    assert training.FOLDS == grouplens.FOLDS


def test_train_without_holdout_has_no_test_figures(home: Path) -> None:
    settings = ("--recipe", "best", "--holdout", "none", "--run", "whole")
    facts = answer(home, "train", *WORLD, *settings)
    assert facts["mse"] is None
    assert facts["rows_trained"] + facts["rows_validated"] == 12_000
    assert "held no rows out" in refused(home, "evaluate", "--run", "whole")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--recipe", "slow"), "'slow' is not one of 'best', 'classic', 'distilled', 'fast'"),
        (("--epochs", "0"), "got epochs 0"),
        (("--learning-rate", "nan"), "got learning rate nan"),
        (("--holdout", "odd"), "'odd' is not one of 'random', 'origin'"),
        (("--holdout-fraction", "1.5"), "got a holdout fraction of 1.5"),
        (("--run", "world"), "world exists and is not a run folder"),
    ],
)
def test_settings_out_of_range_are_refused(home: Path, arguments: tuple, told: str) -> None:
    assert told in refused(home, "train", *arguments)


def test_predict_adds_a_rating_to_each_line(home: Path, small_run: Run) -> None:
    pairs = small_run.tables.ratings[["user_id", "movie_id"]].head(5).assign(note="a, b")
    pairs.to_csv(home / "pairs.csv", index=False)
    printed = process(home, "predict", "pairs.csv")
    assert printed.stdout.splitlines()[0] == "user_id,movie_id,note,rating"
    assert movierec(home, "predict", "pairs.csv", "--out", "rated.csv").stdout == ""
    rated = pd.read_csv(home / "rated.csv")
    assert rated["note"].tolist() == ["a, b"] * 5
    expected = small_run.recommender.predict(pairs["user_id"], pairs["movie_id"])
    assert rated["rating"].to_numpy() == pytest.approx(expected, abs=1e-5)


def test_predict_names_the_line_of_an_unknown_id(home: Path) -> None:
    (home / "odd.csv").write_text("user_id,movie_id\n1,1\n1,99999\n")
    message = refused(home, "predict", "odd.csv", "--out", "never.csv")
    assert "odd.csv, line 3: got '1,99999'; expected a movie_id of" in message
    assert not (home / "never.csv").exists()


def test_recommend_answers_by_the_newest_run(home: Path, small_run: Run) -> None:
    films = answer(home, "recommend", "for-user", "1", "-k", "4")
    told = movierec(home, "recommend", "for-user", "1").stderr
    assert "the newest run, " in told
    assert f"small, of data set {small_run.info['dataset']}" in told
    expected = small_run.recommender.for_user(1, k=4)
    assert [film["movie_id"] for film in films] == expected["movie_id"].tolist()
    assert set(films[0]) == {
        "movie_id",
        "title",
        "year",
        "genres",
        "score",
        "predicted",
        "std",
        "chance",
    }


def test_recommend_takes_a_title_for_a_movie(home: Path, small_run: Run) -> None:
    film = small_run.tables.movies.iloc[7]
    for mode in ("similar", "also-liked"):
        by_title = answer(home, "recommend", mode, film["title"], "--run", "reports/small")
        by_id = answer(home, "recommend", mode, film["movie_id"], "--run", "reports/small")
        assert by_title == by_id
        assert len(by_id) == 10


def test_a_misspelt_title_is_answered_with_the_nearest(home: Path, small_run: Run) -> None:
    title = small_run.tables.movies["title"].iloc[7]
    message = refused(home, "recommend", "similar", "zq" + title)
    assert title in message


def test_a_draw_is_repeatable_by_its_seed(home: Path) -> None:
    draw = ("recommend", "for-user", "2", "--temperature", "1")
    first = answer(home, *draw, "--seed", "1")
    assert first == answer(home, *draw, "--seed", "1")
    assert first != answer(home, *draw, "--seed", "2")


def test_an_unknown_user_is_refused(home: Path) -> None:
    assert "unknown user id 4000000" in refused(home, "recommend", "for-user", "4000000")


def test_a_missing_run_is_refused(home: Path) -> None:
    assert "nowhere does not exist" in refused(home, "evaluate", "--run", "nowhere")


def test_an_unknown_notebook_parameter_is_refused_before_anything_runs(home: Path) -> None:
    message = refused(home, "notebooks", "-p", "epoch", "1", "--run", "report")
    assert "did you mean epochs" in message
    assert not (home / "report").exists()


def test_predict_keeps_a_rating_that_is_there_already(home: Path) -> None:
    (home / "rated.csv").write_text('user_id,movie_id,rating\n1,1,5\n\n"2",1,4\n')
    lines = movierec(home, "predict", "rated.csv").stdout.splitlines()
    assert lines[0] == "user_id,movie_id,rating,predicted"
    assert [line.split(",")[:3] for line in lines[1:]] == [["1", "1", "5"], ["2", "1", "4"]]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("user_id,movie_id\n1,1\n1,1,5\n", "line 3: got '1,1,5'; expected a CSV file in UTF-8"),
        ("user_id,movie_id,user_id\n1,1,1\n", "user_id stands there twice"),
        (
            "user,movie_id\n1,1\n",
            "line 1: got 'user,movie_id'; expected a CSV file in UTF-8 with the columns user_id",
        ),
        ("", "pairs.csv is empty"),
        ("user_id,movie_id\n1,1\n\n1,x\n", "(movie_id, int64: invalid value 'x'"),
    ],
)
def test_pairs_that_cannot_be_told_apart_are_refused(home: Path, text: str, told: str) -> None:
    (home / "pairs.csv").write_text(text)
    assert told in refused(home, "predict", "pairs.csv")


@pytest.mark.parametrize(
    "arguments",
    [
        ("recommend", "for-user", "1", "--temperature", "1", "--seed", "-3"),
        ("train", "--seed", "-1"),
        ("train", "--holdout-seed", "-1"),
    ],
)
def test_a_seed_below_0_is_refused(home: Path, arguments: tuple) -> None:
    assert "expected 0 or more" in refused(home, *arguments)


def test_a_folder_that_cannot_be_written_is_told(home: Path) -> None:
    (home / "file").write_text("")
    (home / "pairs.csv").write_text("user_id,movie_id\n1,1\n")
    told = refused(home, "predict", "pairs.csv", "--out", "file/x")
    assert "file/x: Not a directory; check that the folder exists" in told
    assert "world: Is a directory" in refused(home, "predict", "pairs.csv", "--out", "world")
    told = refused(home, "train", "--run", "file/x")
    assert "file/x could not be written: " in told


def test_a_mistyped_source_leaves_an_earlier_report_alone(home: Path) -> None:
    (home / "old").mkdir()
    (home / "old" / "index.html").write_text("earlier")
    asked = ("notebooks", "--data", "ml-1m", "--from", "typo", "--run", "old")
    assert "typo does not exist" in refused(home, *asked)
    assert "unknown data set 'nope'" in refused(home, "notebooks", "--data", "nope")
    assert (home / "old" / "index.html").read_text() == "earlier"


def test_a_new_user_is_served_by_what_they_tell(home: Path, small_best: Run) -> None:
    film, other = small_best.tables.movies.iloc[3], small_best.tables.movies.iloc[8]
    told = ("--rate", f"{film['movie_id']}=5", "--rate", f"{other['title']}=1.5", "--gender", "F")
    asked = (
        "recommend",
        "new-user",
        *told,
        "--age",
        "25",
        "--run",
        str(small_best.path),
        "-k",
        "3",
    )
    films = answer(home, *asked, "--why")
    rec = small_best.recommender
    person = rec.new_user({film["movie_id"]: 5, other["movie_id"]: 1.5}, gender="F", age=25)
    expected = rec.for_user(person, k=3)
    assert [found["movie_id"] for found in films] == expected["movie_id"].tolist()
    assert [found["why"] for found in films] == [
        rec.because(person, movie) for movie in expected["movie_id"]
    ]


def test_a_history_from_elsewhere_is_read_and_what_is_not_sure_is_told(
    home: Path, small_best: Run
) -> None:
    film, other = (small_best.tables.movies.iloc[n] for n in (3, 8))
    rows = [("title", "year", "stars"), (film["title"], film["year"], 5)]
    rows += [(other["title"][:-9], other["year"], 4), ("No Such Film", "", 3)]
    text = "\n".join("\t".join(map(str, row)) for row in rows)
    (home / "ratings.csv").write_text(text)
    asked = ("recommend", "new-user", "--ratings", "ratings.csv", "--run", str(small_best.path))
    done = movierec(home, *asked, "-k", "3", "--json")
    assert "films found: 1; not in the data: 1" in done.stderr
    assert f"may be {other['movie_id']} " in done.stderr
    expected = small_best.recommender.for_user(
        small_best.recommender.new_user({film["movie_id"]: 5}), k=3
    )
    assert [one["movie_id"] for one in json.loads(done.stdout)] == expected["movie_id"].tolist()
    (home / "ratings.csv").write_text("<html>please log in</html>")
    assert "no column for title and stars" in refused(home, *asked)


@pytest.mark.parametrize(
    ("rate", "told"),
    [
        ("Toy Story", "got --rate 'Toy Story'; expected a film and its stars"),
        ("=5", "got --rate '=5'"),
        ("1=five", "got --rate '1=five'"),
        ("1=9", "got a rating of 9; expected 1 to 5 stars"),
    ],
)
def test_a_rating_that_is_none_is_refused(home: Path, rate: str, told: str) -> None:
    assert told in refused(home, "recommend", "new-user", "--rate", rate)


def test_a_film_rated_twice_is_refused(home: Path, small_run: Run) -> None:
    message = refused(home, "recommend", "new-user", "--rate", "1=5", "--rate", "1=4")
    assert "twice; rate a film once" in message


def test_films_are_chosen_by_genre_year_and_popularity(home: Path, small_run: Run) -> None:
    conditions = ("--genre", "Drama", "--without", "Comedy", "--years", "1980-1999")
    films = answer(home, "recommend", "for-user", "1", "-k", "3", *conditions)
    assert len(films) == 3
    for film in films:
        assert "Drama" in film["genres"]
        assert "Comedy" not in film["genres"]
        assert 1980 <= film["year"] <= 1999
    assert "expected two years" in refused(home, "recommend", "for-user", "1", "--years", "1980")
    assert "expected two years" in refused(home, "recommend", "for-user", "1", "--years", "")
    assert "unknown genre 'Dramma'" in refused(
        home, "recommend", "similar", "1", "--genre", "Dramma"
    )
    assert answer(home, "recommend", "for-user", "1", "--genre", "DRAMA", "-k", "1")


def test_conditions_that_no_film_meets_are_told(home: Path, small_run: Run) -> None:
    done = movierec(home, "recommend", "for-user", "1", "--least-ratings", "100000")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "for user 1: no film meets the conditions; loosen one of them\n"


def test_a_parameter_written_like_a_sweep_is_not_taken_for_half_of_another(home: Path) -> None:
    message = refused(home, "notebooks", "-p", "epochs=3", "--run", "somewhere")
    assert "got -p 'epochs=3' '--run'; expected a name and a value" in message


def test_a_group_gets_films_that_none_has_rated(home: Path, small_run: Run) -> None:
    films = answer(home, "recommend", "group", "1", "2", "--how", "mean", "-k", "4")
    ratings = small_run.tables.ratings
    seen = set(ratings["movie_id"][ratings["user_id"].isin([1, 2])])
    assert len(films) == 4
    assert not seen & {film["movie_id"] for film in films}
    by_stars = answer(home, "recommend", "group", "1", "2", "--how", "mean", "--liking", "1")
    scores = [film["score"] for film in by_stars]
    assert scores == sorted(scores, reverse=True)
    assert "got liking 2.0" in refused(home, "recommend", "group", "1", "2", "--liking", "2")
    draw = ("recommend", "group", "1", "2", "-k", "4", "--temperature", "1", "--seed")
    assert answer(home, *draw, "1") == answer(home, *draw, "1") != answer(home, *draw, "2")


def test_recipe_best_is_trained_and_refuses_what_it_does_not_have(home: Path) -> None:
    message = refused(home, "train", "--recipe", "best", "--epochs", "3", "--run", "never")
    assert "got epochs 3, which the recipe 'best' does not have" in message
    assert not (home / "never").exists()


# --- batches of notebooks ------------------------------------------------------------------------


def test_parameters_of_the_notebooks_are_listed(home: Path):
    done = movierec(home, "notebooks", "--parameters")
    assert done.returncode == 0
    assert re.search(r"^epochs: int +passes over the training rows.* \[0\]$", done.stdout, re.M)
    listed = json.loads(movierec(home, "notebooks", "--parameters", "--json").stdout)
    assert listed["data"] == {
        "kind": "str",
        "default": "sample",
        "meaning": listed["data"]["meaning"],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", "epochs"], "got --grid 'epochs'; expected a setting and its values"),
        (["--grid", "epoch=1"], "no notebook has a parameter 'epoch'; did you mean epochs"),
        (["--grid", "recipe=best"], "got recipe 'best', which trains no network"),
        (["--grid", "epochs=1", "--only", "01_data"], "got --grid with --only"),
        (["--only", "training"], "did you mean 03_training"),
    ],
)
def test_bad_batch_is_refused_before_anything_starts(
    home: Path, arguments: list[str], message: str
):
    done = movierec(home, "notebooks", "--run", "reports/never", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert not (home / "reports" / "never").exists()
