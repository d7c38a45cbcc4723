"""What must hold whatever bytes somebody else has put in a file, or has asked the page.

A file is one of a run, a report, a checkpoint, a profile or a history of ratings from elsewhere; a
request is the head and the body of one to the page. `check(data)` uses it as people do, and gives
"used", or the one message that says why not. It is called by the fuzzer with bytes that it invents,
and by the tests with those of `corpus_runs`, each of which once broke something. `mutated` changes
a file within its form: an entry of a JSON file or of a header becomes something else, or one byte
of a Parquet file, as blind changes seldom do.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
import random
import tempfile
from collections.abc import Callable, Iterator, MutableMapping
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock
from urllib.parse import unquote

import h11
import numpy as np
from starlette.types import ASGIApp

from movierec.errors import InputError
from movierec.explorer.questions import Given, Profile
from movierec.explorer.service import (
    FORMS,
    QUESTIONS,
    Service,
    answer,
    read_profile,
    service_of,
)
from movierec.histories import MOST_CANDIDATES, read_history
from movierec.models.best import BestRecipe
from movierec.models.checkpoints import Checkpoint, State
from movierec.page.app import make_app
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
OTHERS = ("profile.json", "metrics.json", "checkpoint.safetensors", "history", "request")
TARGETS = (*RUN, *OTHERS)
HISTORIES = {  # what stands above the ratings in a file from elsewhere, and how one of them looks
    "history Letterboxd": ("Date,Name,Year,Rating", '2020-02-02,"{title}",{year},4.5'),
    "history IMDb": ("Title,Your Rating,Title Type,Year", '"{title}",9,Movie,{year}'),
    "history MovieLens": ("movie_id\timdb_id\trating\ttitle", "1\t2\t4.5\t{title} ({year})"),
}
REQUESTS = tuple(f"request {question}" for question in QUESTIONS)
WHOLE = (*TARGETS[:-2], *HISTORIES, *REQUESTS)  # of the last two targets, one of each kind
HEAD = "POST /api/v1/{} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\r\n"
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
    if name in HISTORIES:
        head, line = HISTORIES[name]
        films = service().films.values()
        return "\n".join([head, *(line.format(**film) for film in films)]).encode()
    if name in REQUESTS:
        question = name.removeprefix("request ")
        form = FORMS[question]["asked"].model_fields
        asked = {field: value for field, value in everything().items() if field in form}
        return HEAD.format(question).encode() + json.dumps(asked).encode()
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


def everything() -> dict[str, Any]:
    """What can stand in a question to the page, each with something that it may be."""
    _, run, _ = base()
    one, other, third = map(int, run.tables.movies["movie_id"].iloc[:3])
    user, ratings = int(run.tables.users["user_id"].iloc[0]), {one: run.recommender.star_values[-1]}
    told = {"ratings": ratings, "unknown": [other], "gender": "F", "age": 25, "occupation": 3}
    genres = run.recommender.features.genres
    which = {"genres": genres[1:9], "without": genres[9:10], "deny": [third]}
    which |= {"first_year": 1900, "last_year": 2020, "exclude_seen": True, "least": 0.5}
    how = {"k": 3, "variety": 0.5, "temperature": 1.0, "seed": 1, "liking": 0.5, "daring": 0.5}
    group = {"people": [user, told], "how": "mean"}
    films = {"movie_id": other, "movie_ids": [one, third], "shown": [third], "ask": 2}
    return told | which | how | group | films | {"text": "title,rating\nHeat,4", "user_id": user}


def case(name: str, content: bytes) -> bytes:
    """The bytes that stand for one file's content: a byte for the file, then the content."""
    return bytes([TARGETS.index(name.split()[0])]) + content


def seeds() -> list[bytes]:
    """Whole files, for a fuzzer to start from."""
    return [case(name, whole(name)) for name in WHOLE]


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
        "history": use_history,
        "request": use_request,
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
    told = read_profile(service().rec, content)
    ratings = {rated.movie_id: rated.stars for rated in told.ratings}
    facts = told.model_dump(include={"unknown", "gender", "age", "occupation"})
    question = {"ratings": ratings, "ask": 2, "k": 2} | facts
    answer(service(), "for-new-user", question)


@cache
def service() -> Service:
    return service_of(base()[1].recommender)


def use_history(place: Path, content: bytes) -> None:
    rec = service().rec
    history = read_history(content, rec.tables.movies, rec.star_values)
    assert set(history.ratings.values()) <= set(rec.star_values)
    meant = [films for _, films in history.doubtful]
    assert all(0 < len(films) <= MOST_CANDIDATES for films in meant)
    assert set(history.ratings).union(*meant) <= set(service().films)
    rec.for_user(rec.new_user(history.ratings), k=2)


@cache
def page() -> tuple[asyncio.AbstractEventLoop, ASGIApp, Iterator[int]]:
    """The page, what it runs in, and numbers for clients: one alone would soon ask too often."""
    return asyncio.new_event_loop(), make_app(service(), {"localhost"}, False), itertools.count()


def use_request(place: Path, content: bytes) -> None:
    """Ask the page, as its server would on reading this head and this body from a socket."""
    loop, app, clients = page()
    head, _, body = content.partition(b"\r\n\r\n")
    server = h11.Connection(h11.SERVER)
    server.receive_data(head + b"\r\n\r\n")
    try:
        request = server.next_event()
    except h11.RemoteProtocolError as error:
        raise InputError("no request") from error
    if not isinstance(request, h11.Request):  # lines that are empty, say
        raise InputError("no request")
    path, _, query = request.target.partition(b"?")
    scope = {
        "type": "http",
        "client": (str(next(clients)), 0),
        "http_version": request.http_version.decode(),
        "method": request.method.decode(),
        "path": unquote(path.decode()),
        "raw_path": path,
        "query_string": query,
        "headers": [*request.headers],
    }
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    loop.run_until_complete(app(scope, receive, send))
    status, told = sent[0]["status"], b"".join(part.get("body", b"") for part in sent)
    if status >= 400:
        assert status < 500
        raise InputError(json.loads(told)["error"])
    if (b"cache-control", b"no-store") in sent[0]["headers"]:  # an answer, not a file
        json.loads(told, object_hook=check_known)


def check_known(found: dict[str, Any]) -> dict[str, Any]:
    """What is not known is left out of an answer: null would be what is not a number."""
    for value in found.values():
        assert value is not None
        assert not isinstance(value, list) or None not in value
    return found


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
        if name == "request":
            head, _, body = content.partition(b"\r\n\r\n")
            changed = json.dumps(_changed(json.loads(body), rng)).encode()
            return data[:1] + head + b"\r\n\r\n" + changed
        if name.endswith(".parquet") and content:
            place = rng.randrange(len(content))
            return data[:1] + content[:place] + rng.randbytes(1) + content[place + 1 :]
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
