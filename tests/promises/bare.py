"""What `pip install movierec` alone can do: `python tests/promises/bare.py`, where nothing else is.

Run by `make bare` in an environment that holds the wheel and its mandatory dependencies only.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from importlib.metadata import distributions, requires
from importlib.util import find_spec
from pathlib import Path

import movierec

MOST_DEPENDENCIES, MOST_PACKAGES = 14, 35
ROOMS = ("tensorflow", "keras", "IPython", "jupyter_core", "matplotlib", "ipywidgets", "starlette")
NEED_MORE = {  # commands that need an extra, and its name
    ("notebooks",): "notebooks",
    ("app",): "page",
    ("train", "--recipe", "fast"): "network",
}


def command(*words: str) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "movierec", *words]
    return subprocess.run(line, capture_output=True, text=True, timeout=300)


def check_what_is_installed() -> None:
    assert not [room for room in ROOMS if find_spec(room)]
    mandatory = [line for line in requires("movierec") or [] if "extra ==" not in line]
    packages = {d.name.lower() for d in distributions()} - {"pip", "setuptools"}
    print(f"{len(mandatory)} mandatory dependencies, {len(packages)} packages in all")
    assert len(mandatory) <= MOST_DEPENDENCIES, mandatory
    assert len(packages) <= MOST_PACKAGES, sorted(packages)


def check_python(folder: Path) -> None:
    tables = movierec.load_dataset("sample")
    run = movierec.train(tables, run_dir=folder / "best")
    recommender = movierec.load_run(run.path).recommender
    user_id, movie_id = tables.ratings.loc[0, ["user_id", "movie_id"]]
    films = recommender.for_user(user_id)
    assert {"score", "predicted"} <= set(films)
    assert len(films) == 10
    me = recommender.new_user({int(films["movie_id"][0]): 5.0})
    for listed in (recommender.for_user(me), recommender.similar(movie_id)):
        assert len(listed) == 10
    assert recommender.because_each(me, recommender.for_user(me)["movie_id"])[0]
    parts = recommender.explain(user_id, movie_id)["stars"].sum()
    assert abs(parts - recommender.predict([user_id], [movie_id])[0]) < 1
    measured = movierec.evaluate(run)
    assert measured["rmse"] < measured["baselines"]["biases"]["rmse"]
    assert measured["ranking"]["ndcg@10"] > measured["by_stars"]["ranking"]["ndcg@10"]


def check_commands(folder: Path) -> None:
    run = str(folder / "best")
    for words in (
        ("data", "sample", "--json"),
        ("evaluate", "--run", run),
        ("recommend", "for-user", "1", "--run", run, "--why"),
        ("doctor",),
    ):
        done = command(*words)
        assert done.returncode == 0, (words, done.stderr)
    for words, extra in NEED_MORE.items():
        done = command(*words)
        assert done.returncode == 2, (words, done.stderr)
        assert f"pip install 'movierec[{extra}]'" in done.stderr, (words, done.stderr)
        assert "Traceback" not in done.stderr


if __name__ == "__main__":
    check_what_is_installed()
    with tempfile.TemporaryDirectory() as name:
        check_python(Path(name))
        check_commands(Path(name))
    print("the bare wheel does what it says")
