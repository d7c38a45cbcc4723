"""Kill processes at random moments, and look at what they leave.

A job works on a folder. It is started, killed with SIGKILL at a random moment of an undisturbed
life, and looked at; then started again, on what the kill left. After the last kill it is let to its
end, whose result must be that of a job that was never disturbed.

| job | what is killed | what must hold after each kill |
| --- | --- | --- |
| download | downloading an archive, again and again | whole, or not there |
| run | writing one or another run folder | one of the two whole |
| checkpoint | writing checkpoints | one of them whole |
| train | a training with checkpoints in each block, in place of an earlier run | the earlier run |
| notebooks | a batch of two notebooks | a whole report, or none |
| export | exports as Parquet, one after another | each whole, or not there |
| lists | lists of many users, a user a part | whole parts, from which it goes on |
| sweep | a notebook for each of three settings, one after the other | whole reports, or none |
| posters | keeping what a provider says of films | each film whole, or unknown |
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pandera.pandas  # noqa: F401  # here and not in each child: a quarter second
from nbformat.v4 import new_code_cell, new_notebook

from movierec.data.datasets import load_dataset
from movierec.data.features import Features
from movierec.data.tables import Tables
from movierec.models.checkpoints import Checkpoint, State
from movierec.models.model import complete
from movierec.models.recipe import Trained
from movierec.posters.cache import JPEG, Cache
from movierec.posters.films import Details, Film
from movierec.posters.metadata import Metadata
from movierec.reports.notebooks import run_notebooks
from movierec.runs import Run, encode_rows, load_run, write_run
from movierec.sample.simulate import simulate

WORLDS = [simulate(n_users=30, n_movies=40, n_ratings=700, seed=seed).tables for seed in (0, 1)]


@dataclass
class Job:
    """What is killed, and how it is looked at.

    Each of these runs in a process of its own, forked from one that has started neither TensorFlow
    nor Arrow's threads, which no fork would take along.

    Attributes:
        work: what is killed.
        check: looks at what a kill left, and gives it a name.
        end: works to the end, and looks at the result.
        begin: makes what is there before.
        over: called in the first process, after all.
    """

    work: Callable[[], object]
    check: Callable[[], str]
    end: Callable[[], object]
    begin: Callable[[], object] = lambda: None
    over: Callable[[], object] = lambda: None


def same(one: Tables, other: Tables) -> bool:
    return one.movies.equals(other.movies) and one.ratings.equals(other.ratings)


def of_worlds(tables: Tables) -> str:
    found = [number for number, world in enumerate(WORLDS) if same(tables, world)]
    assert found, "the tables of neither world"
    return f"world {found[0]}"


def write_csv(tables: Tables, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    ratings = tables.ratings.set_axis(["userId", "movieId", "rating", "timestamp"], axis=1)
    movies = tables.movies.rename(columns={"movie_id": "movieId"})
    ratings.to_csv(folder / "ratings.csv", index=False)
    movies[["movieId", "title", "genres"]].to_csv(folder / "movies.csv", index=False)


def download(folder: Path) -> Job:
    import requests  # noqa: F401  # here and not in each child

    name, served, place = "ml-latest-small", folder / "served", folder / "data"
    for one in (served, place):
        one.mkdir()
    archive, received = served / f"{name}.zip", place / f"{name}.zip"
    write_csv(WORLDS[0], served)
    with zipfile.ZipFile(archive, "w") as sink:
        for table in ("ratings.csv", "movies.csv"):
            sink.write(served / table, table)
        sink.writestr("README", random.Random(0).randbytes(2**25))  # so that it takes a while
    checksum = hashlib.md5(archive.read_bytes()).hexdigest()
    archive.with_name(f"{name}.zip.md5").write_text(checksum)
    serve = [sys.executable, "-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]
    server = subprocess.Popen(
        [*serve, "--directory", str(served)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    port = re.search(r"port (\d+)", server.stdout.readline())
    assert port is not None
    os.environ["MOVIEREC_MIRROR"] = f"http://127.0.0.1:{port[1]}"
    os.environ |= {"MOVIEREC_DATA": str(place), "NO_PROXY": "127.0.0.1"}

    def step(_: int) -> None:
        received.unlink(missing_ok=True)
        with open(os.devnull, "w") as unseen, contextlib.redirect_stderr(unseen):  # the bar
            load_dataset(name)

    def check() -> str:
        hidden = {f".{received.name}.{ending}" for ending in ("writing", "lock")}
        left = set(os.listdir(place))
        assert left <= {received.name, *hidden}, left
        assert len(list(place.glob(".*.writing/*"))) <= 1  # nothing piles up
        if received.name not in left:
            return "none yet" if not left else "none yet, with what it had received"
        assert hashlib.md5(received.read_bytes()).hexdigest() == checksum
        assert load_dataset(name).ratings.equals(WORLDS[0].ratings)
        return "whole"

    def end() -> None:
        step(0)
        assert os.listdir(place) == [received.name]
        assert check() == "whole"

    def over() -> None:
        server.kill()
        server.wait()
        server.stdout.close()

    return Job(lambda: forever(step), check, end, over=over)


def forever(step: Callable[[int], object]) -> None:
    for number in range(1_000_000):
        step(number)


def a_run(path: Path, number: int) -> Run:
    world = WORLDS[number]
    features = Features.fit(world)
    rng = np.random.default_rng(number)
    info = {
        "config": {"recipe": "fast", "network": {}, "seed": number},
        "rows": {"train": len(world.ratings), "validation": 0, "test": 0},
        "metrics": {"validation": None, "test": None},
        "seconds": dict.fromkeys(("prepare", "compile", "train", "finish"), 0.0),
        "best_epoch": 1,
    }
    sizes = len(features.users), len(features.movies)
    users, movies = (rng.random((size, 8), np.float32) for size in sizes)
    history = pd.DataFrame({"epoch": [1], "train_loss": [1.0], "val_loss": [1.0]})
    trained = Trained({"w": rng.random(9, np.float32)}, users, movies, history, 1, {})
    rows = encode_rows(world, features)
    return write_run(
        path,
        info=info,
        tables=world,
        part=np.full(len(world.ratings), "train"),
        features=features,
        trained=trained,
        model=complete(trained, features, rows, rows.take(np.zeros(0, np.int64)), seed=0),
        plots={},
    )


def whole(path: Path) -> Run:
    """A run of which every part can be read."""
    run = load_run(path)
    assert len(run.history)
    assert len(run.recommender.for_user(int(run.tables.users["user_id"].iloc[0]), k=3)) == 3
    assert run.weights
    assert len(run.part) == len(run.tables.ratings)
    return run


def run(folder: Path) -> Job:
    path = folder / "run"

    def end() -> None:
        a_run(path, 1)
        assert of_worlds(whole(path).tables) == "world 1"
        assert os.listdir(folder) == ["run"]

    return Job(
        work=lambda: forever(lambda i: a_run(path, i % 2)),
        check=lambda: of_worlds(whole(path).tables),
        end=end,
        begin=lambda: a_run(path, 0),
    )


def checkpoint(folder: Path) -> Job:
    kept = Checkpoint(folder / "run.partial", {"seed": 0})

    def write(number: int) -> None:
        kept.save(State(steps=number), [np.full(200_000, number)])

    def check() -> str:
        stored = kept.read()
        if stored is None:
            return "none yet"
        state, arrays = stored
        assert (arrays["now.0"] == state.steps).all()
        return "whole"

    def end() -> None:
        write(7)
        assert check() == "whole"
        kept.remove()
        assert os.listdir(folder) == []

    return Job(lambda: forever(write), check, end)


def train(folder: Path) -> Job:
    from movierec import training
    from movierec.network import fitting  # TensorFlow is loaded, but not started: children are

    fitting.ROWS_PER_CALL, fitting.CHECKPOINT_SECONDS = 128, 0
    settings = {"recipe": "fast", "epochs": 4, "batch_size": 64}
    path, undisturbed = folder / "run", folder / "undisturbed"

    def fit(target: Path) -> None:
        # an earlier run of other data is not resumed: the first life, which leaves a checkpoint,
        # begins anew, and what is complete is trained once more
        resume = target.with_name(f"{target.name}.partial").exists()
        training.train(WORLDS[1], run_dir=target, resume=resume, **settings)

    def check() -> str:
        found = of_worlds(whole(path).tables)
        return "new run" if found == "world 1" else "earlier run"

    def end() -> None:
        for target in (path, undisturbed):
            code, _ = in_a_child(lambda: fit(target))  # noqa: B023  # it is called at once
            assert code == 0
        one, other = load_run(path), load_run(undisturbed)
        for name in ("weights", "stars", "watching", "newcomers", "certainty"):
            file = f"{name}.safetensors"
            assert one.info["files"][file] == other.info["files"][file], name
        columns = ["epoch", "train_loss", "val_loss"]
        assert one.history[columns].equals(other.history[columns])
        assert one.metrics == other.metrics
        assert sorted(os.listdir(folder)) == ["run", "undisturbed"]

    return Job(lambda: fit(path), check, end, begin=lambda: a_run(path, 0))


def notebooks(folder: Path) -> Job:
    source, out = folder / "source", folder / "out"
    source.mkdir()
    for name in ("01_one", "02_two"):
        cells = [
            new_code_cell("x: int = 1", metadata={"tags": ["parameters"]}),
            new_code_cell("from movierec.lessons.record import record\nrecord(x=x)"),
        ]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        nbformat.write(new_notebook(cells=cells, metadata=kernel), source / f"{name}.ipynb")

    def batch() -> None:
        run_notebooks(out, source_dir=source, progress=False, force=True)

    def check() -> str:
        for path in out.glob("*.ipynb"):
            nbformat.read(path, as_version=4)
        if not (out / "index.html").exists():
            return "no report"
        recorded = json.loads((out / "metrics.json").read_text())["notebooks"]
        assert [entry["metrics"] for entry in recorded.values()] == [{"x": 1}, {"x": 1}]
        assert (out / "index.html").read_text().rstrip().endswith("</html>")
        return "whole report"

    def end() -> None:
        batch()
        assert check() == "whole report"
        assert not list(out.glob(".*"))

    return Job(batch, check, end)


def sweep(folder: Path) -> Job:
    from movierec.reports.sweep import sweep as sweeping

    source, out = folder / "source", folder / "out"
    source.mkdir()
    cells = [
        new_code_cell("x: int = 1", metadata={"tags": ["parameters"]}),
        new_code_cell(
            "from movierec.lessons.record import record\nrecord(validation_loss=x / 4, seed=x)"
        ),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), source / "03_training.ipynb")
    grid = {"x": [1, 2, 3]}

    def work(place: Path = out) -> None:
        sweeping(place, grid, source_dir=source, progress=False)

    def recorded(place: Path) -> list[dict[str, float]]:
        return [one["metrics"] for one in json.loads((place / "sweep.json").read_text())["runs"]]

    def check() -> str:
        whole = 0
        for report in out.glob("runs/*/metrics.json"):
            [entry] = json.loads(report.read_text())["notebooks"].values()
            assert f"x={entry['metrics']['seed']}" == report.parent.name
            assert (report.parent / "03_training.html").read_text().rstrip().endswith("</html>")
            whole += 1
        if not (out / "sweep.json").exists() or not recorded(out):
            return f"{whole} of 3 reports"
        assert whole == 3
        assert recorded(out) == [{"validation_loss": x / 4, "seed": x} for x in grid["x"]]
        assert (out / "index.html").read_text().rstrip().endswith("</html>")
        shutil.rmtree(out)  # so that the next life has something to do
        return "whole sweep"

    def end() -> None:
        work()
        work(folder / "undisturbed")
        assert recorded(out) == recorded(folder / "undisturbed")
        assert check() == "whole sweep"

    return Job(work, check, end)


class Knowing:
    """A provider that knows every film, and says of each what nobody says of another."""

    language, attribution, interval = "en-US", "", 0.0

    def look_up(self, film: Film) -> Details:
        poster = JPEG + film.title.encode() * 500
        return Details(film.title, film.title * 50, poster)

    def close(self) -> None:
        pass


def posters(folder: Path) -> Job:
    films = [Film(f"Film {number} (1999)", 1999) for number in range(400)]
    provider = Knowing()

    def kept() -> int:
        cache, known = Cache(folder, provider), 0
        for film in films:
            if (entry := cache.get(film)) is not None:
                assert entry == provider.look_up(film)
                known += 1
        cache.close()
        return known

    def work() -> None:
        answers = Metadata(provider, pd.DataFrame({"movie_id": [], "title": []}), folder)
        for film in films:
            answers.look_up(film)
        answers.close()

    def check() -> str:
        if (known := kept()) == len(films):
            shutil.rmtree(folder)  # so that the next life has something to do
            folder.mkdir()
        return {0: "none yet", len(films): "all"}.get(known, "some, whole")

    def end() -> None:
        work()
        assert kept() == len(films)
        assert os.listdir(folder) == ["tmdb.sqlite"]

    return Job(work, check, end)


def export(folder: Path) -> Job:
    from movierec.serving import export as exporting

    source = folder / "run"

    def step(number: int) -> Path:
        out = folder / f"out-{os.getpid()}-{number}"
        exporting.export(load_run(source), out, ("parquet",))
        return out

    def check() -> str:
        found = list(folder.glob("out-*"))
        for out in found:
            assert {path.name for path in out.iterdir()} == {
                "export.json",
                "movies.parquet",
                "users.parquet",
            }
            json.loads((out / "export.json").read_text())
            assert len(pd.read_parquet(out / "users.parquet")) == len(WORLDS[0].users)
            assert len(pd.read_parquet(out / "movies.parquet")) == len(WORLDS[0].movies)
            shutil.rmtree(out)
        return "some, whole" if found else "none yet"

    def end() -> None:
        step(0)
        assert check() == "some, whole"

    return Job(lambda: forever(step), check, end, begin=lambda: a_run(source, 0))


def lists(folder: Path) -> Job:
    from movierec.serving.batch import recommend_all

    out, source, users = folder / "lists", folder / "run", folder / "users.parquet"

    def begin() -> None:
        a_run(source, 0)
        WORLDS[0].users[["user_id"]].to_parquet(users)

    def work(place: Path = out) -> None:
        recommend_all(source, users, place, 3, part_size=1)

    def check() -> str:
        parts = list(out.glob("part-*.parquet"))
        for part in parts:
            ranks = pd.read_parquet(part)["rank"].tolist()
            assert ranks
            assert ranks == list(range(1, len(ranks) + 1))
        if (out / "_SUCCESS").exists():
            assert len(parts) == len(WORLDS[0].users)
            shutil.rmtree(out)  # so that the next life has something to do
            return "finished"
        return "some parts"

    def end() -> None:
        work()
        work(folder / "undisturbed")
        assert pd.read_parquet(out).equals(pd.read_parquet(folder / "undisturbed"))

    return Job(work, check, end, begin)


KINDS = (download, run, checkpoint, train, notebooks, sweep, export, lists)
JOBS = {job.__name__: job for job in (*KINDS, posters)}


def in_a_child(work: Callable[[], object], seconds: float | None = None) -> tuple[int, str]:
    """The exit code and the answer of a process that works, and is killed after some seconds."""
    answer, say = os.pipe()
    child = os.fork()
    if not child:
        os.environ["MOVIEREC_PROGRESS"] = "off"
        try:
            os.write(say, str(work()).encode())
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(say)
    if seconds is not None:
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)  # one that has ended is a zombie, and takes no harm
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open(answer, encoding="utf-8") as told:
        return code, told.read()


def loop(name: str, kills: int, seed: int, longest: float) -> dict[str, int]:
    """So many kills of a job; gives what was found after them, and how often.

    Raises:
        RuntimeError: a job failed by itself, or a check of what a kill left.
    """
    moments, found = random.Random(seed), dict[str, int]()
    folder = Path(tempfile.mkdtemp(prefix=f"kills-{name}-"))

    def done(work: Callable[[], object], seconds: float | None = None) -> tuple[int, str]:
        code, answer = in_a_child(work, seconds)
        if code not in (0, -signal.SIGKILL):
            raise RuntimeError(f"{name} failed; see above, and {folder}")
        return code, answer

    job = JOBS[name](folder)
    try:
        done(job.begin)
        killed = 0
        while killed < kills:
            code, _ = done(job.work, moments.uniform(0, longest))
            killed += code != 0
            _, state = done(job.check)
            found[state] = found.get(state, 0) + 1
        done(job.end)
    finally:
        job.over()
    shutil.rmtree(folder)
    return found


# seconds within which a job is killed: its undisturbed life or, if it has no end, several rounds
LONGEST = {"run": 0.4, "checkpoint": 0.2, "train": 12.0, "notebooks": 16.0}
LONGEST |= {"export": 5.0, "lists": 3.0, "download": 2.0, "sweep": 12.0}
LONGEST |= {"posters": 0.5}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("jobs", nargs="*", metavar="JOB", default=list(JOBS))
    parser.add_argument("--kills", type=int, default=100, help="of each job")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    for name in arguments.jobs:
        began = time.perf_counter()
        found = loop(name, arguments.kills, arguments.seed, LONGEST[name])
        states = ", ".join(f"{state}: {times}" for state, times in sorted(found.items()))
        print(
            f"{name:<12}{arguments.kills} kills, {time.perf_counter() - began:.0f} s; {states}",
            flush=True,
        )


if __name__ == "__main__":
    main()
