"""Of a large file that is read which is used, and what is used has been checked."""

from __future__ import annotations

import json
import shutil
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pandas as pd
import pytest
import safetensors.numpy
from safetensors import safe_open

from movierec import stored
from movierec.errors import InputError
from movierec.recommend.catalogue import FEW
from movierec.recommend.recommender import Recommender
from movierec.runs import Run, load_run
from movierec.stored import Checked, arrays, checksums

PIECE = 1024


@pytest.fixture(autouse=True)
def short_pieces(monkeypatch):
    monkeypatch.setattr(stored, "PIECE", PIECE)


def checked(path: Path, content: bytes, sums: str | None = None) -> Checked:
    path.write_bytes(content)
    return Checked(path, sums or checksums(content), lambda what: InputError(f"{path.name} {what}"))


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, PIECE - 1, PIECE, PIECE + 1, 5 * PIECE])
def test_file_reads_as_any_other(tmp_path, size):
    content = np.random.default_rng(0).bytes(size)
    file = checked(tmp_path / "file", content)
    assert file.read() == content
    file.seek(-min(10, size), 2)
    assert file.tell() == max(size - 10, 0)
    assert file.read(4) == content[max(size - 10, 0) :][:4]
    assert file.read() == content[max(size - 10, 0) :][4:]


def test_damaged_piece_is_told_when_it_is_read_and_not_before(tmp_path):
    content = bytes(10 * PIECE)
    file = checked(tmp_path / "file", content[:-1] + b"\1", checksums(content))
    assert file.read(9 * PIECE) == content[: 9 * PIECE]
    with pytest.raises(InputError, match=r"^file is not as it was written \(its checksum differs"):
        file.read(1)


def test_piece_that_several_threads_look_at_is_sound_for_all(tmp_path, monkeypatch):
    monkeypatch.setattr(stored, "PIECE", 2**22)  # long enough that all are in the midst of it
    content = bytes(2**22)
    for _ in range(5):
        file, start = checked(tmp_path / "file", content), Barrier(4)

        def look(file: Checked = file, start: Barrier = start) -> None:
            start.wait()
            file.check(0, len(content))

        with ThreadPoolExecutor(4) as pool:
            for each in [pool.submit(look) for _ in range(4)]:
                each.result()


@pytest.mark.parametrize("size", [0, PIECE, 2 * PIECE, 4 * PIECE])
def test_length_is_looked_at_first(tmp_path, size):
    with pytest.raises(InputError, match=r"not as it was written"):
        checked(tmp_path / "file", bytes(size), checksums(bytes(3 * PIECE)))


def test_file_that_becomes_shorter_is_told_and_ends_no_process(tmp_path):
    file = checked(tmp_path / "file", bytes(3 * 2**14))
    assert file.read(PIECE) == bytes(PIECE)
    with file.path.open("r+b") as other:
        other.truncate(PIECE)
    with pytest.raises(InputError, match=r"^file became shorter while it was read"):
        file.read()


# --- arrays --------------------------------------------------------------------------------------

MATRIX = np.random.default_rng(1).normal(size=(400, 37)).astype(np.float32)
KEYS = [
    3,
    np.int32(-1),
    slice(None),
    slice(5, 300, 7),
    [4, 4, 399],
    np.arange(0, 400, 50),
    np.arange(8).reshape(2, 4),
    np.arange(400) % 90 == 1,
    (slice(None), slice(None, -1)),
    (np.array([1, 200]), slice(2, 5)),
    (7, None),
    [],
]


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_rows_come_as_from_an_array(tmp_path, key):
    file = checked(tmp_path / "file", safetensors.numpy.save({"a": MATRIX[:1], "b": MATRIX}))
    array = arrays(file)["b"]
    assert np.array_equal(array[key], MATRIX[key])


def test_array_is_one_where_a_whole_one_is_needed(tmp_path):
    array = arrays(checked(tmp_path / "file", safetensors.numpy.save({"a": MATRIX})))["a"]
    assert (array.shape, array.ndim, array.dtype, array.nbytes, len(array)) == (
        MATRIX.shape,
        2,
        MATRIX.dtype,
        MATRIX.nbytes,
        len(MATRIX),
    )
    assert np.array_equal(array @ MATRIX[0], MATRIX @ MATRIX[0])
    assert np.array_equal(MATRIX[0] @ array.T, MATRIX[0] @ MATRIX.T)


@pytest.mark.parametrize("row", [60, 123, 399])
def test_damage_is_found_by_the_rows_that_it_hits(tmp_path, row):
    content = safetensors.numpy.save({"a": MATRIX})
    path = tmp_path / "file"
    path.write_bytes(content)
    flip(path, len(content) - MATRIX.nbytes + row * MATRIX[0].nbytes + 20)
    array = arrays(checked(path, path.read_bytes(), checksums(content)))["a"]
    far = np.abs(np.arange(400) - row) > 2 * PIECE // MATRIX[0].nbytes
    assert np.array_equal(array[far], MATRIX[far])
    for read in (lambda: array[row], lambda: np.asarray(array), lambda: array.T):
        with pytest.raises(InputError, match="its checksum differs"):
            read()


def test_numbers_that_are_not_sound_are_told_by_whom_they_hit(tmp_path):
    def sound(name: str, numbers: np.ndarray) -> None:
        assert name == "a"
        if not np.isfinite(numbers).all():
            raise InputError("not finite")

    wrong = MATRIX.copy()
    wrong[200, 3] = np.nan
    array = arrays(checked(tmp_path / "file", safetensors.numpy.save({"a": wrong})), sound)["a"]
    assert np.array_equal(array[10], MATRIX[10])
    with pytest.raises(InputError, match="not finite"):
        array[200]


# --- runs ----------------------------------------------------------------------------------------


@pytest.fixture
def copy(small_own, tmp_path) -> Path:
    """A copy of a run, in short pieces, its ratings in groups of few rows."""
    path = shutil.copytree(small_own.path, tmp_path / "run")
    ratings = pd.read_parquet(path / "tables/ratings.parquet").sort_values("user_id")
    ratings.to_parquet(path / "tables/ratings.parquet", index=False, row_group_size=500)
    info = json.loads((path / "run.json").read_text("utf-8"))
    info["files"] = {name: checksums((path / name).read_bytes()) for name in info["files"]}
    (path / "run.json").write_text(json.dumps(info), "utf-8")
    return path


def place_of(path: Path, name: str, row: int) -> int:
    """The byte of a safetensors file at which a row of an array begins."""
    place = 8 + int.from_bytes(path.read_bytes()[:8], "little")
    with safe_open(path, "numpy") as held:
        for each in held.offset_keys():
            array = held.get_tensor(each)
            if each == name:
                return place + row * array[0].nbytes
            place += array.nbytes
    raise AssertionError(name)


def in_memory(run: Run) -> Recommender:
    """The run's recommender, all of it read."""
    model = run.recommender.model
    watching = model.watching._replace(
        **{name: np.array(held) for name, held in model.watching._asdict().items()}
    )
    held = model._replace(users=model.users[:], films=model.films[:], watching=watching)
    return Recommender(run.tables, run.features, held, run.part != "test")


def test_answers_are_those_of_the_run_in_memory(copy):
    here, there = load_run(copy).recommender, in_memory(load_run(copy))
    assert isinstance(here.model.users, stored.Stored)
    users, films = here.features.users.ids[1:9], here.features.movies.ids[1:9]
    for ask in (
        lambda rec: rec.for_user(users[0], daring=0.5),
        lambda rec: rec.for_users(users),
        lambda rec: rec.for_group(users[:3]),
        lambda rec: rec.similar(films[2], variety=0.3),
        lambda rec: rec.also_liked(films[2]),
        lambda rec: rec.people_who_like(films[3]),
        lambda rec: rec.explain(users[1], films[1]),
        lambda rec: rec.for_user(rec.new_user({films[0]: 5.0, films[4]: 2.0})),
        lambda rec: rec.add_movies(
            pd.DataFrame({"title": ["New (1999)"], "genres": [there.features.genres[1]]})
        ).for_user(users[0]),
        lambda rec: pd.DataFrame(rec.predict(users, films, return_std=True)),
    ):
        pd.testing.assert_frame_equal(ask(here), ask(there))


def test_what_is_seen_is_the_same_read_alone_or_with_all(copy):
    alone, whole = load_run(copy).recommender, load_run(copy).recommender
    assert whole.ratings.nnz
    for user_idx in range(1, 30, 4):
        for learned_only in (False, True):
            for one, other in zip(
                alone.seen(user_idx, learned_only), whole.seen(user_idx, learned_only), strict=True
            ):
                assert np.array_equal(one, other)
    assert "ratings" not in vars(alone)
    assert "ratings" not in vars(load_run(copy).tables)


def test_who_asks_for_many_people_one_by_one_reads_all_at_last(copy):
    rec = load_run(copy).recommender
    lists = [rec.for_user(user_id) for user_id in range(1, FEW + 1)]
    assert "ratings" not in vars(rec)
    pd.testing.assert_frame_equal(rec.for_user(1), lists[0])
    assert "ratings" in vars(rec)


def spoil(path: Path, start: int, stop: int | None = None) -> None:
    """Damage each piece of a part of a file."""
    content = bytearray(path.read_bytes())
    for place in range(start, len(content) if stop is None else stop, PIECE // 2):
        content[place] ^= 1
    path.write_bytes(content)


def test_list_does_not_read_what_it_does_not_need(copy):
    expected = load_run(copy).recommender.for_user(2)
    similar = load_run(copy).recommender.similar(3)
    users = load_run(copy).recommender.model.users
    far = place_of(copy / "stars.safetensors", "users", 2) + users[0].nbytes + PIECE
    end = place_of(copy / "stars.safetensors", "users", len(users) - 1)
    spoil(copy / "stars.safetensors", far, end)
    spoil(copy / "weights.safetensors", 0)
    spoil(copy / "history.csv", 0)
    ratings = copy / "tables/ratings.parquet"
    spoil(ratings, ratings.stat().st_size // 4, ratings.stat().st_size // 2 - 2**14)  # not its end
    rec = load_run(copy).recommender
    pd.testing.assert_frame_equal(rec.for_user(2), expected)
    pd.testing.assert_frame_equal(rec.similar(3), similar)


USES: dict[str, tuple[str, Callable]] = {
    "a person": ("stars.safetensors", lambda run: run.recommender.for_user(150)),
    "all people": ("stars.safetensors", lambda run: run.recommender.also_liked(3)),
    "all ratings": ("tables/ratings.parquet", lambda run: run.tables.ratings),
    "rows": ("tables/ratings.parquet", lambda run: run.rows("train")),
    "weights": ("weights.safetensors", lambda run: run.weights),
}


@pytest.mark.parametrize(("name", "use"), USES.values(), ids=USES)
def test_damage_is_told_before_it_is_used(copy, name, use):
    path = copy / name
    place = path.stat().st_size // 2
    if name == "stars.safetensors":
        place = place_of(path, "users", 150) + 4
    flip(path, place)
    with pytest.raises(
        InputError, match=rf"^\S+ is a damaged run folder: {name} is not as it was written"
    ):
        use(load_run(copy))


@pytest.mark.parametrize("users", [["1", "2"], [1.0, 2.0], None], ids=["texts", "floats", "none"])
def test_ratings_of_no_user_ids_are_damage(copy, users):
    path = copy / "tables/ratings.parquet"
    ratings = pd.read_parquet(path).drop(columns="user_id").head(2)
    (ratings.assign(user_id=users) if users else ratings).to_parquet(path, index=False)
    info = json.loads((copy / "run.json").read_text("utf-8"))
    info["files"]["tables/ratings.parquet"] = checksums(path.read_bytes())
    (copy / "run.json").write_text(json.dumps(info), "utf-8")
    with pytest.raises(InputError, match="damaged run folder: tables/ratings.parquet: .*user_id"):
        load_run(copy).recommender.for_user(2)


def test_a_file_that_nobody_uses_any_more_is_closed(tmp_path):
    content = safetensors.numpy.save({"a": MATRIX})
    alive = weakref.ref(file := checked(tmp_path / "file", content))
    assert len(arrays(file)["a"][3:5]) == 2
    del file
    assert alive() is None
