"""The benchmarks' own arithmetic and processes; the peers are left out."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from rich.console import Console
from worlds import PROJECT

from benchmarks import curve, similar
from benchmarks.__main__ import cli
from benchmarks.explorer import actions
from benchmarks.measure import alternate, report, run_python

QUIET = Console(quiet=True)


def test_report_writes_medians_and_ratios_of_what_was_measured(tmp_path):
    rounds = {
        "ours": [{"fit": 2.0}, {"fit": 6.0}, {"fit": 4.0}],
        "peer": [{"fit": 8.0, "rmse": 0.9}, {"fit": 10.0, "rmse": 0.8}, {"fit": 8.0, "rmse": 1.0}],
        "never": [{}, {}, {}],
    }
    columns = {"fit": "fit", "rmse": "test RMSE"}
    report("training", "a title", columns, rounds, tmp_path / "new", QUIET, ratio=("peer", "fit"))
    written = json.loads((tmp_path / "new" / "training.json").read_text())
    assert written["medians"] == {
        "ours": {"fit": 4.0, "rmse": None, "ratio": 0.5},
        "peer": {"fit": 8.0, "rmse": 0.9, "ratio": 1.0},
        "never": {"fit": None, "rmse": None, "ratio": None},
    }
    assert written["rounds"] == rounds
    page = (tmp_path / "new" / "training.md").read_text("utf-8").splitlines()
    assert page[0] == "|  | fit | test RMSE | ratio to peer |"
    assert page[2] == "| ours | 4.00 (2.00–6.00) | - | 0.50 |"
    assert len(page) == 5
    assert written["machine"]["cores"] >= 1


def test_lists_of_random_vectors_are_timed():
    found = run_python("-m", "benchmarks.lists", "wide", "300", "400")
    assert set(found["movierec"]) == {"one", "all"}
    # a list of one takes milliseconds, those of all less than that many single ones
    assert 0 < found["movierec"]["all"] < 300 * found["movierec"]["one"]


def test_every_action_of_the_explorer_is_timed(small_best):
    found = actions(small_best.recommender)
    assert len(found) > 12
    assert all(row["milliseconds"] >= 0 for rounds in found.values() for row in rounds)


def test_curve_tells_that_its_peers_are_missing_before_it_measures_others(tmp_path):
    asked = ["curve", "--method", "best", "--method", "myFM", "--peers", str(tmp_path / "python")]
    told = CliRunner().invoke(cli, asked)
    assert told.exit_code == 2
    assert "make peers" in told.output


def test_curve_goes_down_pass_by_pass_and_is_drawn(small_tables, tmp_path, monkeypatch):
    monkeypatch.setattr(curve, "load_dataset", lambda name, path: small_tables)
    monkeypatch.setattr(curve, "BEST", replace(curve.BEST, factors=4, passes=6))
    points = curve.best("small", "")
    seconds, errors = zip(*points, strict=True)
    assert len(points) == 6 + 2  # two averages at the end
    assert list(seconds) == sorted(seconds)
    assert errors[0] > errors[5] > 0.5
    curve.write_rows("small", "", tmp_path / "rows.npz")
    with np.load(tmp_path / "rows.npz") as rows:
        assert len(rows["test_rating"]) == len(small_tables.ratings) // 10
        assert len(rows["user_known"]) > rows["user"].max()
    rows = {
        "best": [{"seconds": s, "rmse": e} for s, e in points],
        "peer": [{"seconds": 9, "rmse": 1}],
    }
    curve.draw(rows, "a title", tmp_path / "curve.png")
    assert (tmp_path / "curve.png").stat().st_size > 10_000


def test_films_of_a_series_are_found_by_their_titles():
    titles = {
        9: "Long Road, The (1980)",
        2: "Long Road Part II, The (1984)",
        5: "Long Road: The End, The (1990)",
        11: "Harbour (1950)",
        12: "Harbour (1990)",  # a remake
        20: "Sea 2: Waves (1991)",
        21: "Sea (1989)",
        22: "Sea '79 (1979)",
        23: "Sea Ivy (1992)",
        30: "1999: A Journey (1970)",
        31: "1999: Another (1970)",
        40: "You and I (1980)",
        41: "You and (1981)",
    }
    assert similar.series(pd.Series(titles)) == {"long road": [2, 5, 9], "sea": [20, 21, 22]}


def test_films_that_are_near_are_counted_as_found(small_best, monkeypatch):
    rec = small_best.recommender
    film = int(rec.tables.ratings["movie_id"].value_counts().index[0])
    found = rec.similar(film, k=30)["movie_id"]
    shares = []
    for other in (found[0], found[29]):
        monkeypatch.setattr(similar, "series", lambda titles, other=int(other): {"": [film, other]})
        rows = similar.compared(rec)
        assert set(rows) == {"similar", "similar, without titles", "EASE"}
        assert all(0 <= row["found"] <= 1 for (row,) in rows.values())
        shares.append(rows["similar"][0]["found"])
    assert shares[0] >= 0.5 >= shares[1]
    assert shares[0] > shares[1]


def test_methods_take_turns():
    turns = []
    methods = {name: lambda name=name: {"turn": turns.append(name) or len(turns)} for name in "ab"}
    assert alternate(2, methods, QUIET) == {
        "a": [{"turn": 1}, {"turn": 3}],
        "b": [{"turn": 2}, {"turn": 4}],
    }


MEASURED = """
import json
from benchmarks.measure import run_python
small = run_python("-c", "import json; print(json.dumps({'answer': 42}))")
large = run_python("-c", "import time; x = b'1' * 2**28; time.sleep(0.2)")
print(json.dumps([small, large]))
"""


def test_process_is_measured_whole_and_by_itself():
    # in a process of its own: to the system a child has held what its parent held at its start
    done = subprocess.run(
        [sys.executable, "-c", MEASURED], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    small, large = json.loads(done.stdout)
    assert small["answer"] == 42
    assert small["peak"] < 0.2 < large["peak"] < 0.5  # GiB
    assert large["whole"] > 0.2


def test_process_that_fails_shows_its_errors():
    with pytest.raises(click.ClickException, match="no such thing"):
        run_python("-c", "import sys; sys.exit('no such thing')")
