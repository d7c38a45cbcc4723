"""A run folder is whole or not there, says what is damaged, and never executes anything."""

from __future__ import annotations

import dataclasses
import errno
import gc
import hashlib
import io
import json
import os
import pickle
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import safetensors.numpy

from movierec.data.features import Features
from movierec.errors import InputError
from movierec.files import alone
from movierec.models.model import complete
from movierec.models.recipe import Trained
from movierec.runs import (
    PARTS,
    Run,
    check_target,
    encode_rows,
    load_run,
    newest_run,
    write_run,
)

INFO = {
    "config": {"recipe": "classic", "network": {}, "seed": 0},
    "rows": {"train": 5, "validation": 1, "test": 2},
    "metrics": {"validation": {"mse": 1.0}, "test": {"mse": 1.0}},
    "seconds": {"prepare": 0.1, "compile": 0.2, "train": 0.3, "finish": 0.1},
    "best_epoch": 1,
    "parameters": 8,
}
FILES = [
    "run.json",
    "history.csv",
    "vocabularies.json",
    "weights.safetensors",
    "stars.safetensors",
    "watching.safetensors",
    "newcomers.safetensors",
    "certainty.safetensors",
    "tables/users.parquet",
    "tables/movies.parquet",
    "tables/ratings.parquet",
]


def write(path: Path, tables, *, recipe: str = "classic") -> Run:
    """A run of the plain tables whose vectors are random."""
    features = Features.fit(tables)
    rng = np.random.default_rng(0)
    trained = Trained(
        weights={"layer/kernel": np.arange(8, dtype=np.float32).reshape(2, 4)},
        users=rng.random((len(features.users), 4), np.float32),
        movies=rng.random((len(features.movies), 4), np.float32),
        history=pd.DataFrame({"epoch": [1], "train_loss": [2.0], "val_loss": [1.0]}),
        best_epoch=1,
        seconds={},
    )
    rows = encode_rows(tables, features)
    return write_run(
        path,
        info=INFO | {"config": INFO["config"] | {"recipe": recipe}},
        tables=tables,
        part=pd.Categorical(["train"] * 5 + ["validation"] + ["test"] * 2, PARTS),
        features=features,
        trained=trained,
        model=complete(trained, features, rows, rows.take(np.zeros(0, np.int64)), seed=0),
        plots={"loss.png": b"\x89PNG"},
    )


@pytest.fixture
def run(tmp_path, plain_tables) -> Run:
    return write(tmp_path / "run", plain_tables)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def use_everything(path: Path) -> None:
    """Read every part of a run."""
    run = load_run(path)
    assert len(run.history) == 1
    assert run.rows("train", "validation", "test").rating.shape == (8,)
    assert len(run.recommender.for_user(6, k=2)) == 2
    assert set(run.weights) == {"layer/kernel"}


def complaint(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        use_everything(path)
    return str(caught.value)


def replace_file(path: Path, name: str, content: bytes) -> None:
    """Put other bytes in a file and their checksum in run.json, as a forger would."""
    (path / name).write_bytes(content)
    info = json.loads((path / "run.json").read_text("utf-8"))
    info["files"][name] = hashlib.sha256(content).hexdigest()
    (path / "run.json").write_text(json.dumps(info), "utf-8")


def change_info(path: Path, change: Callable[[dict], object]) -> None:
    info = json.loads((path / "run.json").read_text("utf-8"))
    change(info)
    (path / "run.json").write_text(json.dumps(info), "utf-8")


# --- written and read ----------------------------------------------------------------------------


def test_run_comes_back_as_it_was_written(run, plain_tables):
    found = load_run(run.path)
    pd.testing.assert_frame_equal(found.tables.users, plain_tables.users)
    pd.testing.assert_frame_equal(found.tables.movies, plain_tables.movies)
    pd.testing.assert_frame_equal(found.tables.ratings, plain_tables.ratings)
    assert found.tables.name == "plain"
    assert found.part.tolist() == ["train"] * 5 + ["validation"] + ["test"] * 2
    assert found.features.words == Features.fit(plain_tables).words
    assert found.weights["layer/kernel"].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert found.history["val_loss"].tolist() == [1.0]
    assert (found.path / "history.csv").read_text().startswith("epoch,")
    columns = pq.read_schema(found.path / "tables" / "users.parquet").names
    assert columns == plain_tables.users.columns.tolist()
    assert found.metrics == INFO["metrics"]
    assert found.seconds == INFO["seconds"]
    assert found.best_epoch == 1
    assert (found.path / "plots" / "loss.png").read_bytes() == b"\x89PNG"


def test_run_that_was_replaced_while_it_was_open_says_so(run, plain_tables):
    ratings = plain_tables.ratings.assign(rating=np.float32(3))
    write(run.path, dataclasses.replace(plain_tables, ratings=ratings))
    for use in (lambda: run.tables.ratings, lambda: run.recommender):
        with pytest.raises(InputError, match=r"was replaced since it was opened; open it again$"):
            use()
    assert (load_run(run.path).tables.ratings["rating"] == 3).all()


def test_run_that_nobody_holds_is_let_go(small_own):
    run = load_run(small_own.path)
    run.recommender.for_user(int(run.tables.users["user_id"].iloc[0]), k=2)
    assert len(run.weights) * len(run.history) * len(run.rows("train").rating)
    gone = weakref.ref(run)
    del run
    gc.collect()  # which looks through no array: a cycle through one would stay for ever
    assert gone() is None


def test_trained_run_comes_back_with_demographics(small_own, small_tables):
    found = load_run(small_own.path)
    pd.testing.assert_frame_equal(found.tables.users, small_tables.users)
    pd.testing.assert_frame_equal(found.tables.movies, small_tables.movies)
    pd.testing.assert_frame_equal(found.tables.ratings, small_tables.ratings)
    assert found.tables.occupations == small_tables.occupations
    for field, codes in Features.fit(small_tables).user_fields.items():
        assert np.array_equal(found.features.user_fields[field], codes)


def test_folder_holds_exactly_the_documented_files(small_own):
    assert sorted(contents(small_own.path)) == sorted([*FILES, "plots/loss.png"])
    info = json.loads((small_own.path / "run.json").read_text("utf-8"))
    assert set(info["files"]) == set(contents(small_own.path)) - {"run.json"}
    assert set(info["versions"]) >= {"movierec", "numpy", "pandas", "scipy"}


def test_rows_are_those_of_the_parts_asked_for(run):
    rows = run.rows("validation", "test")
    assert rows.rating.tolist() == [3.0, 3.5, 4.0]
    assert run.features.users.decode(rows.user_idx).tolist() == [4, 4, 6]
    assert run.features.movies.decode(rows.movie_idx).tolist() == [5, 6, 8]
    with pytest.raises(InputError, match="unknown part 'tset'; expected some of train, valid"):
        run.rows("tset")


def test_run_inside_a_report_is_found(tmp_path, plain_tables):
    write(tmp_path / "report" / "model", plain_tables)
    assert load_run(tmp_path / "report").path == tmp_path / "report" / "model"


def test_newest_run_is_the_one_finished_last(tmp_path, monkeypatch, plain_tables):
    monkeypatch.setenv("MOVIEREC_REPORTS", str(tmp_path))
    for age, place in enumerate(("a", "b/model", "c")):
        write(tmp_path / place, plain_tables)
        os.utime(tmp_path / place / "run.json", (1000 - age % 2, 1000 + 10 * (age == 1)))
    assert newest_run().path == tmp_path / "b" / "model"


def test_no_run_at_all_says_how_to_make_one(tmp_path, monkeypatch):
    monkeypatch.setenv("MOVIEREC_REPORTS", str(tmp_path / "reports"))
    with pytest.raises(InputError, match="movierec train.*--run"):
        newest_run()


# --- whole or not at all -------------------------------------------------------------------------


def test_earlier_run_is_replaced_whole(run, plain_tables):
    again = write(run.path, plain_tables, recipe="fast")
    assert load_run(run.path).config["recipe"] == again.config["recipe"] == "fast"
    assert list(run.path.parent.iterdir()) == [run.path]


def test_a_run_folder_that_holds_more_is_not_replaced(run, plain_tables):
    (run.path / "notes.txt").write_text("mine")
    before = (run.path / "run.json").read_bytes()
    told = (
        r"also holds notes\.txt, which replacing the run would lose; move it away, or name another"
    )
    with pytest.raises(InputError, match=told):
        write(run.path, plain_tables, recipe="fast")
    assert (run.path / "run.json").read_bytes() == before


class Crash(BaseException):
    """What no handler takes for an error of its own, like an interruption."""


def crash_at_file(monkeypatch, number: int, error: BaseException) -> None:
    """Let the number-th file that is written fail half way."""
    write_bytes, written = Path.write_bytes, []

    def failing(path: Path, content: bytes) -> int:
        written.append(path)
        if len(written) == number:
            write_bytes(path, content[: len(content) // 2])
            raise error
        return write_bytes(path, content)

    monkeypatch.setattr(Path, "write_bytes", failing)


@pytest.mark.parametrize("number", range(1, 12))
@pytest.mark.parametrize("earlier", [False, True], ids=["new", "replacing"])
def test_crash_while_writing_leaves_what_was_there(
    tmp_path, plain_tables, monkeypatch, number, earlier
):
    path = tmp_path / "run"
    if earlier:
        write(path, plain_tables)
    before = contents(tmp_path)
    crash_at_file(monkeypatch, number, Crash())
    with pytest.raises(Crash):
        write(path, plain_tables, recipe="fast")
    monkeypatch.undo()
    assert contents(tmp_path) == before
    assert list(tmp_path.iterdir()) == ([path] if earlier else [])


@pytest.mark.parametrize("error", [Crash(), OSError(errno.EBUSY, "busy")], ids=["crash", "error"])
@pytest.mark.parametrize("step", [1, 2])
def test_crash_while_moving_leaves_what_was_there(tmp_path, plain_tables, monkeypatch, step, error):
    path = tmp_path / "run"
    write(path, plain_tables)
    before = contents(tmp_path)
    replace, moved = Path.replace, []

    def failing(source: Path, target: Path) -> Path:
        moved.append(source)
        if len(moved) == step:
            raise error
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises((Crash, InputError)):
        write(path, plain_tables, recipe="fast")
    monkeypatch.undo()
    assert contents(tmp_path) == before


def test_who_holds_a_place_finishes_what_a_killed_process_had_still_to_do(run, tmp_path):
    workplace = tmp_path / ".run.writing"
    (workplace / "old").mkdir(parents=True)
    run.path.rename(workplace / "new")
    with alone(run.path):
        check_target(run.path)
    assert load_run(run.path).metrics == INFO["metrics"]


def test_full_disk_is_said_and_leaves_what_was_there(tmp_path, plain_tables, monkeypatch):
    path = tmp_path / "run"
    write(path, plain_tables)
    before = contents(tmp_path)
    crash_at_file(monkeypatch, 4, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    with pytest.raises(InputError, match="the disk is full") as caught:
        write(path, plain_tables, recipe="fast")
    monkeypatch.undo()
    assert str(path) in str(caught.value)
    assert "--run" in str(caught.value)
    assert contents(tmp_path) == before


def test_place_below_a_file_is_refused(tmp_path, plain_tables):
    (tmp_path / "notes").write_text("x")
    with pytest.raises(InputError, match="could not be written"):
        write(tmp_path / "notes" / "run", plain_tables)
    assert (tmp_path / "notes").read_text() == "x"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_place_of_something_else_is_refused_and_kept(tmp_path, plain_tables, kind):
    path = tmp_path / "thesis"
    if kind == "file":
        path.write_text("years of work")
    else:
        path.mkdir()
        (path / "chapter").write_text("years of work")
    before = contents(tmp_path)
    for attempt in (check_target, lambda path: write(path, plain_tables)):
        with pytest.raises(InputError, match="exists and is not a run folder; name a new folder"):
            attempt(path)
    assert contents(tmp_path) == before


def test_empty_folder_is_a_place_for_a_run(tmp_path, plain_tables):
    (tmp_path / "run").mkdir()
    write(tmp_path / "run", plain_tables)
    use_everything(tmp_path / "run")


# --- damaged and foreign folders -----------------------------------------------------------------


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="nowhere does not exist; expected a run folder"):
        load_run(tmp_path / "nowhere")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file is no folder; expected a run folder"):
        load_run(tmp_path / "file")


def test_folder_of_something_else(tmp_path):
    with pytest.raises(InputError, match="is not a run folder: it has no run.json"):
        load_run(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_missing_file_is_named(run, name):
    (run.path / name).unlink()
    message = complaint(run.path)
    assert str(run.path) in message
    assert name in message


@pytest.mark.parametrize("name", FILES[1:])
@pytest.mark.parametrize("damage", ["cut", "changed", "emptied"])
def test_damaged_file_is_named(run, name, damage):
    content = (run.path / name).read_bytes()
    middle = len(content) // 2
    damaged = {
        "cut": content[:middle],
        "changed": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
        "emptied": b"",
    }[damage]
    (run.path / name).write_bytes(damaged)
    message = complaint(run.path)
    assert f"{run.path} is a damaged run folder: {name} is not as it was written" in message
    assert "Train it again" in message


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'"run"', b"\xff\xfe\x00", b"[" * 100_000, b'{"format": 1}'],
    ids=["empty", "cut", "list", "null", "text", "bytes", "deep", "bare"],
)
def test_run_json_that_is_none_is_named(run, content):
    (run.path / "run.json").write_bytes(content)
    message = complaint(run.path)
    assert str(run.path) in message
    assert "Train it again" in message


@pytest.mark.parametrize("sums", ["", " ", "0" * 63, "0" * 64 + " ", "g" * 64, "0" * 64 + "\n"])
def test_checksum_that_is_none_is_refused(run, sums):
    change_info(run.path, lambda info: info["files"].update({"stars.safetensors": sums}))
    assert "run.json: files.stars.safetensors" in complaint(run.path)


def test_run_json_elsewhere_is_not_read(run, tmp_path):
    (run.path / "run.json").rename(tmp_path / "elsewhere")
    (run.path / "run.json").symlink_to(tmp_path / "elsewhere")
    assert "is a link that leads out of" in complaint(run.path)


def test_link_to_itself_is_told(run):
    (run.path / "history.csv").unlink()
    (run.path / "history.csv").symlink_to("history.csv")
    assert "history.csv is missing" in complaint(run.path)


def test_links_to_another_database_come_back(tmp_path, plain_tables):
    numbers = pd.array([862, None, 7, None, 1], dtype="Int64")
    movies = plain_tables.movies.assign(tmdb_id=numbers)
    run = write(tmp_path / "linked", dataclasses.replace(plain_tables, movies=movies))
    pd.testing.assert_frame_equal(load_run(run.path).tables.movies, movies)


@pytest.mark.parametrize("found", [0, 4, "5", 5.0, True, None])
def test_other_format_is_told_apart(run, found):
    change_info(run.path, lambda info: info.update(format=found))
    message = complaint(run.path)
    assert f"has run-folder format {found!r}; this movierec reads 5" in message
    assert "Train it again" in message


@pytest.mark.parametrize(
    "key",
    ["dataset", "config", "rows", "metrics", "seconds", "best_epoch", "occupations", "files"],
)
@pytest.mark.parametrize("change", ["lost", "of another kind"])
def test_entry_of_run_json_is_named(run, key, change):
    change_info(
        run.path, lambda info: info.pop(key) if change == "lost" else info.update({key: None})
    )
    message = complaint(run.path)
    assert f"{run.path} is a damaged run folder" in message
    assert key in message


@pytest.mark.parametrize("name", FILES[1:])
def test_file_that_run_json_does_not_list_is_named(run, name):
    change_info(run.path, lambda info: info["files"].pop(name))
    message = complaint(run.path)
    assert f"{run.path} is a damaged run folder" in message
    assert name in message


def parquet(frame: pd.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.to_parquet(sink, index=False)
    return sink.getvalue()


def stars(users: tuple[int, ...], films: tuple[int, ...], value: float = 0.0) -> bytes:
    arrays = {"users": users, "films": films}
    return safetensors.numpy.save(
        {name: np.full(shape, value, np.float32) for name, shape in arrays.items()}
    )


def ratings_of(run: Run) -> pd.DataFrame:
    return pd.read_parquet(run.path / "tables" / "ratings.parquet")


# files of the right form, with the right checksum, that do not belong to the rest
FOREIGN: dict[str, tuple[str, Callable[[Run], bytes]]] = {
    "vocabularies of other films": (
        "vocabularies.json",
        lambda run: b'{"genres": [""], "words": [""], "title_length": 15}',
    ),
    "vocabularies without words": ("vocabularies.json", lambda run: b'{"title_length": 15}'),
    "vocabularies that are a list": ("vocabularies.json", lambda run: b"[1, 2]"),
    "vocabularies that are no JSON": ("vocabularies.json", lambda run: b"words"),
    "vocabularies nested without end": ("vocabularies.json", lambda run: b"[" * 100_000),
    "a title length without end": (
        "vocabularies.json",
        lambda run: b'{"genres": [""], "words": [""], "title_length": 1000000000000}',
    ),
    "a title length in words": (
        "vocabularies.json",
        lambda run: b'{"genres": [""], "words": [""], "title_length": "many"}',
    ),
    "no parts": (
        "tables/ratings.parquet",
        lambda run: parquet(ratings_of(run).drop(columns="part")),
    ),
    "unknown parts": (
        "tables/ratings.parquet",
        lambda run: parquet(ratings_of(run).assign(part="exam")),
    ),
    "ratings out of range": (
        "tables/ratings.parquet",
        lambda run: parquet(ratings_of(run).assign(rating=np.float32(9))),
    ),
    "ratings of strangers": (
        "tables/ratings.parquet",
        lambda run: parquet(ratings_of(run).assign(user_id=77)),
    ),
    "no years": (
        "tables/movies.parquet",
        lambda run: parquet(run.tables.movies.drop(columns="year")),
    ),
    "years in words": (
        "tables/movies.parquet",
        lambda run: parquet(run.tables.movies.assign(year="long ago")),
    ),
    "links in words": (
        "tables/movies.parquet",
        lambda run: parquet(run.tables.movies.assign(tmdb_id="the first")),
    ),
    "a table of something else": (
        "tables/users.parquet",
        lambda run: parquet(pd.DataFrame({"a": [1]})),
    ),
    "users that are no numbers": (
        "tables/ratings.parquet",
        lambda run: parquet(ratings_of(run).assign(user_id="1")),
    ),
    "ratings of nobody": (
        "tables/ratings.parquet",
        lambda run: parquet(ratings_of(run).drop(columns="user_id")),
    ),
    "ratings of users that are lists": (
        "tables/ratings.parquet",
        lambda run: parquet(ratings_of(run).assign(user_id=[[1]] * len(ratings_of(run)))),
    ),
    "a table with its end damaged": (
        "tables/users.parquet",
        lambda run: (run.path / "tables/users.parquet").read_bytes()[:-40] + b"\x00" * 32 + b"PAR1",
    ),
    "a table with its middle damaged": (
        "tables/users.parquet",
        lambda run: (
            (content := (run.path / "tables/users.parquet").read_bytes())[:4]
            + b"\xff" * 40
            + content[44:]
        ),
    ),
    "stars that are one number": ("stars.safetensors", lambda run: stars((), ())),
    "stars of one kind": (
        "stars.safetensors",
        lambda run: safetensors.numpy.save({"users": np.zeros((7, 6), np.float32)}),
    ),
    "stars of fewer people": ("stars.safetensors", lambda run: stars((3, 6), (9, 6))),
    "stars that have no product": ("stars.safetensors", lambda run: stars((7, 6), (9, 5))),
    "stars of no columns": ("stars.safetensors", lambda run: stars((7, 0), (9, 0))),
    "stars in a row": ("stars.safetensors", lambda run: stars((7,), (9,))),
    "stars that are no numbers": (
        "stars.safetensors",
        lambda run: stars((7, 6), (9, 6), np.nan),
    ),
    "stars of twice the size": (
        "stars.safetensors",
        lambda run: safetensors.numpy.save({"users": np.zeros((7, 6)), "films": np.zeros((9, 6))}),
    ),
    "watching without profiles": (
        "watching.safetensors",
        lambda run: safetensors.numpy.save(
            {k: v for k, v in run.recommender.model.watching._asdict().items() if k != "profiles"}
        ),
    ),
    "watching of fewer films": (
        "watching.safetensors",
        lambda run: safetensors.numpy.save(
            run.recommender.model.watching._asdict() | {"own": np.ones(3, np.float32)}
        ),
    ),
    "newcomers of other attributes": (
        "newcomers.safetensors",
        lambda run: safetensors.numpy.save(
            run.recommender.model.newcomers._asdict() | {"tower": np.ones((5, 4), np.float32)}
        ),
    ),
    "stars of a type that NumPy lacks": (
        "stars.safetensors",
        lambda run: (
            (header := b'{"users":{"dtype":"BF16","shape":[1],"data_offsets":[0,2]}}')
            and len(header).to_bytes(8, "little") + header + b"\0\0"
        ),
    ),
    "a history that is none": ("history.csv", lambda run: b"a,b\n1,2\n"),
    "a history of many columns": (
        "history.csv",
        lambda run: b"epoch,train_loss,val_loss" + b",a" * 300_000 + b"\n1,1,1\n",
    ),
    "a history of columns that end lines": (
        "history.csv",
        lambda run: b"epoch,train_loss,val_loss" + b',"\n"' * 300_000 + b"\n1,1,1\n",
    ),
    "a history in bytes": ("history.csv", lambda run: b"\xff\xfe\x80"),
}


@pytest.mark.parametrize(("name", "content"), FOREIGN.values(), ids=FOREIGN)
def test_file_that_does_not_belong_is_refused(run, name, content):
    replace_file(run.path, name, content(run))
    message = complaint(run.path)
    assert "expected" in message or f"{run.path} is a damaged run folder" in message


# --- nothing is executed -------------------------------------------------------------------------


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self):
        return os.mkdir, (str(self.place),)


def test_the_trap_works(tmp_path):
    pickle.loads(pickle.dumps(Trap(tmp_path / "sprung")))
    assert (tmp_path / "sprung").is_dir()


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("form", ["pickle", "npy"])
def test_pickle_hidden_in_a_file_is_never_loaded(run, tmp_path, name, form):
    trap = pickle.dumps(Trap(tmp_path / "sprung"))
    if form == "npy":
        sink = io.BytesIO()
        np.save(sink, np.array([Trap(tmp_path / "sprung")], dtype=object), allow_pickle=True)
        trap = sink.getvalue()
    if name == "run.json":
        (run.path / name).write_bytes(trap)
    else:
        replace_file(run.path, name, trap)
    assert str(run.path) in complaint(run.path)
    assert not (tmp_path / "sprung").exists()


def test_further_files_of_a_folder_are_never_looked_at(run, tmp_path):
    for name in ("network.pkl", "tables/users.pkl", "model.keras", "conftest.py", "movierec.py"):
        (run.path / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    use_everything(run.path)
    assert not (tmp_path / "sprung").exists()


def test_pandas_metadata_of_a_table_is_not_believed(run):
    """An index named in the metadata would move a column out of the table."""
    frame = run.tables.users.set_index("user_id")
    sink = io.BytesIO()
    frame.to_parquet(sink, index=True)
    replace_file(run.path, "tables/users.parquet", sink.getvalue())
    assert load_run(run.path).tables.users["user_id"].tolist() == [1, 2, 4, 6]


def test_run_folder_can_be_moved(run, tmp_path):
    shutil.move(run.path, tmp_path / "elsewhere")
    use_everything(tmp_path / "elsewhere")


def test_a_damaged_run_is_replaced_by_a_new_one(run, plain_tables):
    (run.path / "stars.safetensors").unlink()
    with pytest.raises(InputError, match=r"damaged run folder: .* Train it again"):
        load_run(run.path)
    write(run.path, plain_tables, recipe="fast")
    assert load_run(run.path).config["recipe"] == "fast"
