"""What must hold whatever bytes stand in a file of a run or a report that somebody else has made.

`check(data)` uses the file as people do, and gives "used", or the one message that says why not. It
is called by the fuzzer with bytes that it invents, and by the tests with those of `corpus_runs`,
each of which once broke something. `mutated` changes a file within its form: an entry of a JSON
file or of a header becomes something else, as blind changes of bytes seldom do.
"""

from __future__ import annotations

import hashlib
import json
import random
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from movierec.errors import InputError
from movierec.explorer.questions import Given, Profile
from movierec.explorer.service import answer, read_profile, service_of
from movierec.models.best import BestRecipe
from movierec.models.checkpoints import Checkpoint, State
from movierec.reports.report import read_report, what_changed
from movierec.reports.sweep import Combination
from movierec.runs import Run, load_run
from movierec.sample.simulate import simulate
from movierec.training import train

CORPUS = Path(__file__).parent / "corpus_runs"
LONGEST_MESSAGE = 1500  # characters, beside the names of folders: a message is to be read
RUN = (
    "run.json",
    "vocabularies.json",
    "history.csv",
    "tables/users.parquet",
    "tables/movies.parquet",
    "tables/ratings.parquet",
    "weights.safetensors",
    "stars.safetensors",
    "watching.safetensors",
    "newcomers.safetensors",
    "certainty.safetensors",
)
OTHERS = ("profile.json", "metrics.json", "checkpoint.safetensors")
TARGETS = (*RUN, *OTHERS)
SETTINGS = {"recipe": "fast", "seed": 0}
ORIGIN = {
    "notebooks": {"03_training": "0" * 64},
    "parameters": {"epochs": 1, "data": "sample"},
    "data": None,
    "run": None,
    "code": "0" * 64,
    "versions": {"movierec": "0.1"},
}
RECIPE = BestRecipe("best", factors=3, passes=2, members=1)


class Variable:
    """As a variable of Keras, as far as a checkpoint knows it."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def assign(self, value: np.ndarray) -> None:
        if value.shape != self.array.shape:
            raise ValueError(f"shapes {value.shape} and {self.array.shape} differ")
        self.array = value

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        return self.array


def variables() -> list[Variable]:
    return [Variable(np.zeros((3, 2), np.float32)), Variable(np.zeros((), np.int64))]


@cache
def base() -> tuple[tempfile.TemporaryDirectory, Run, dict[str, bytes]]:
    """A whole run in a folder that lives as long as the process, and its files."""
    folder = tempfile.TemporaryDirectory(prefix="strangers-")
    tables = simulate(n_users=12, n_movies=20, n_ratings=240, seed=0).tables
    with mock.patch.dict("os.environ", MOVIEREC_PROGRESS="off"):
        run = train(tables, RECIPE, run_dir=Path(folder.name, "run"))
    files = {name: (run.path / name).read_bytes() for name in RUN}
    return folder, load_run(run.path), files


@cache
def whole(name: str) -> bytes:
    """What stands in a file when nobody has changed it."""
    folder, run, files = base()
    if name == "run.json":  # what is trained elsewhere differs in its seconds, and so in its sums
        info = run.info | {"files": {name: f"sum of {name}" for name in run.info["files"]}}
        return json.dumps(info).encode()
    if name in RUN:
        return files[name]
    if name == "profile.json":
        films = run.tables.movies["movie_id"].tolist()
        stars = run.recommender.star_values[-1]
        titles = [run.recommender.title(film) for film in films[:2]]
        rated = [
            Given(movie_id=f, title=t, stars=stars) for f, t in zip(films, titles, strict=False)
        ]
        kept = Profile(ratings=rated, unknown=films[2:3], gender="F", age=25, occupation=3)
        return kept.model_dump_json().encode()
    if name == "metrics.json":
        entry = {"seconds": 1.5, "peak_memory_bytes": 2**20, "figures": ["figures/03_1.png"]}
        entry |= {"metrics": {"validation_loss": 0.5, "rows": 10, "words": ["a"], "none": None}}
        entry |= {"name": "03_training", "title": "Training", "question": "How?"}
        entry |= {"before": "", "minutes": 30, "cover": "figures/03_1.png"}
        told = {"notebooks": {"03_training": entry}, "files": "0" * 64}
        return json.dumps(told | {"made_from": ORIGIN}).encode()
    assert name == "checkpoint.safetensors"
    kept = Checkpoint(Path(folder.name, "kept"), SETTINGS)
    row = {"epoch": 1, "train_loss": 1.0, "val_loss": 1.0, "seconds": 1.0}
    kept.save(State(1, 2, 3.0, 4.0, 5.0, 6.0, 1, [np.ones(3, np.float32)], [row]), variables())
    return kept.file.read_bytes()


def case(name: str, content: bytes) -> bytes:
    """The bytes that stand for one file's content: a byte for the file, then the content."""
    return bytes([TARGETS.index(name)]) + content


def seeds() -> list[bytes]:
    """Whole files, for a fuzzer to start from."""
    return [case(name, whole(name)) for name in TARGETS]


def check(data: bytes) -> str:
    """Use a file of somebody else; gives "used", or the message.

    Raises:
        AssertionError: a message that is none. Anything else that is raised comes through.
    """
    name = TARGETS[(data[0] if data else 0) % len(TARGETS)]
    place = Path(base()[0].name)
    use: Callable[[Path, bytes], object] = {
        "profile.json": use_profile,
        "metrics.json": use_report,
        "checkpoint.safetensors": use_checkpoint,
    }.get(name, lambda place, content: use_run(place, name, content))
    try:
        use(place, data[1:])
    except InputError as error:
        message = str(error)
        assert message.isprintable(), message[:LONGEST_MESSAGE]
        assert len(message) < LONGEST_MESSAGE + 4 * len(str(place)), f"{len(message)} letters"
        return message
    return "used"


def use_run(place: Path, name: str, content: bytes) -> None:
    path, info = place / "run", content
    if name != "run.json":
        info = whole("run.json")
        (path / name).write_bytes(content)
    for file in base()[1].info["files"]:
        total = hashlib.sha256((path / file).read_bytes()).hexdigest()
        info = info.replace(b"sum of " + file.encode(), total.encode())
    try:
        (path / "run.json").write_bytes(info)
        run = load_run(path)
        assert len(run.history)
        assert len(run.weights)
        assert len(run.rows("train", "test").rating)
        json.dumps([run.config, run.metrics, run.seconds, run.best_epoch])
        recommender = run.recommender
        user, film = int(run.tables.users["user_id"].iloc[0]), int(run.tables.movies.iloc[0, 0])
        for films in (
            recommender.for_user(user, k=2),
            recommender.similar(film, k=2),
            recommender.also_liked(film, k=2),
            recommender.for_user(recommender.new_user({film: recommender.star_values[0]}), k=2),
        ):
            assert np.isfinite(films["score"]).all()
        assert 0 < recommender.predict([user], [film])[0] < 6
    finally:
        if name != "run.json":
            (path / name).write_bytes(whole(name))


def use_profile(place: Path, content: bytes) -> None:
    recommender = base()[1].recommender
    told = read_profile(recommender, content)
    ratings = {rated.movie_id: rated.stars for rated in told.ratings}
    facts = told.model_dump(include={"unknown", "gender", "age", "occupation"})
    question = {"ratings": ratings, "ask": 2, "k": 2} | facts
    answer(service_of(recommender), "for-new-user", question)


def use_report(place: Path, content: bytes) -> None:
    report = place / "report"
    report.mkdir(exist_ok=True)
    (report / "metrics.json").write_bytes(content)
    what_changed(report, ORIGIN)
    left = read_report(report)
    assert left is not None
    json.dumps([Combination({}, report, report=one).numbers for one in left.notebooks.values()])


def use_checkpoint(place: Path, content: bytes) -> None:
    kept = Checkpoint(place / "kept", SETTINGS)
    whole("checkpoint.safetensors")  # so that its folder is there
    kept.file.write_bytes(content)
    state = kept.load(variables())
    assert state is not None
    kept.save(state, variables())


# --- changes within the form of a file -----------------------------------------------------------

STRANGE: list[Any] = [None, True, -1, 0, 2**31, 2**63, 10**400, 1e308, 0.5, float("nan")]
STRANGE += [float("inf"), "", "x", "\x1b[31m", "<b>", "../x", "9" * 30, "y" * 3000, [], {}, [[]]]
STRANGE += [{"a": None}, [1, "b", None]]


def mutated(data: bytes, rng: random.Random) -> bytes | None:
    """The case with one entry changed; None where the file has no such form."""
    name, content = TARGETS[(data[0] if data else 0) % len(TARGETS)], data[1:]
    try:
        if name.endswith(".json"):
            return data[:1] + json.dumps(_changed(json.loads(content), rng)).encode()
        if name.endswith(".safetensors"):
            length = int.from_bytes(content[:8], "little")
            header, rest = json.loads(content[8 : 8 + length]), content[8 + length :]
            meta = header.get("__metadata__")
            if isinstance(meta, dict) and meta and rng.random() < 0.7:
                key = rng.choice(sorted(meta))
                meta[key] = json.dumps(_changed(json.loads(meta[key]), rng))
            else:
                header = _changed(header, rng)
            text = json.dumps(header).encode()
            return data[:1] + len(text).to_bytes(8, "little") + text + rest
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    return None


def _changed(value: Any, rng: random.Random) -> Any:
    """A JSON value in which something, at whatever depth, is another, is gone or is doubled."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(sorted(value))
        if rng.random() < 0.1:
            return {other: value[other] for other in value if other != key}
        return value | {key: _changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        if rng.random() < 0.2:
            return value[:place] + value[place + 1 :]
        if rng.random() < 0.2:
            return [*value, value[place]]
        return [*value[:place], _changed(value[place], rng), *value[place + 1 :]]
    return rng.choice(STRANGE)
