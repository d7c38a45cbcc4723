"""Lists of many users from Parquet to Parquet: equal to those in the process, and restartable."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from movierec.errors import InputError
from movierec.serving import batch
from movierec.serving.batch import recommend_all


@pytest.fixture
def users(small_own, tmp_path) -> Path:
    """The users of the world in two files, in an order of their own."""
    folder = tmp_path / "users"
    folder.mkdir()
    ids = np.random.default_rng(0).permutation(small_own.tables.users["user_id"])
    for name, part in (("a", ids[:170]), ("b", ids[170:])):
        frame = pd.DataFrame({"name": [f"user {i}" for i in part], "user_id": part})
        frame.to_parquet(folder / f"{name}.parquet")
    return folder


def asked(users: Path) -> list[int]:
    return pd.read_parquet(users)["user_id"].tolist()


def check(run, users: Path, out: Path, k: int) -> None:
    """What was written is what the recommender gives in this process."""
    found = pd.read_parquet(out)
    expected = run.recommender.for_users(asked(users), k)
    for column in ("user_id", "rank", "movie_id"):
        assert found[column].tolist() == expected[column].tolist()
    for column in ("score", "predicted"):
        assert found[column].to_numpy() == pytest.approx(expected[column].to_numpy(), rel=1e-5)
    assert (out / "_SUCCESS").exists()


def test_lists_are_those_of_the_process(small_own, users, tmp_path):
    run, told = small_own, []
    facts = recommend_all(
        run.path, users, tmp_path / "out", 3, part_size=64, on_part=lambda *now: told.append(now)
    )
    assert facts["users"] == len(run.tables.users) == 300
    assert facts["parts"] == facts["made"] == 5  # of two files, 64 users a part
    assert told == [(i, 5) for i in range(1, 6)]
    check(run, users, tmp_path / "out", 3)


def test_two_workers_write_what_one_would(small_own, users, tmp_path):
    facts = recommend_all(small_own.path, users, tmp_path / "out", 5, workers=2, part_size=20)
    assert facts["parts"] == 15
    check(small_own, users, tmp_path / "out", 5)


def test_interrupted_job_goes_on_with_the_parts_that_are_missing(
    small_own, users, tmp_path, monkeypatch
):
    out, make, made = tmp_path / "out", batch._make, []

    def interrupted(*arguments):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(arguments)
        return make(*arguments)

    monkeypatch.setattr(batch, "_make", interrupted)
    with pytest.raises(KeyboardInterrupt):
        recommend_all(small_own.path, users, out, part_size=64)
    assert not (out / "_SUCCESS").exists()
    first = {path.name: path.stat().st_mtime_ns for path in out.glob("part-*")}
    assert len(first) == 2
    monkeypatch.undo()
    facts = recommend_all(small_own.path, users, out, part_size=64)
    assert (facts["parts"], facts["made"]) == (5, 3)
    assert first.items() <= {p.name: p.stat().st_mtime_ns for p in out.glob("part-*")}.items()
    check(small_own, users, out, 10)
    assert recommend_all(small_own.path, users, out, part_size=64)["made"] == 0


@pytest.mark.parametrize("change", ["k", "users", "run", "part size"])
def test_folder_of_another_job_is_refused_and_kept(small_own, small_best, users, tmp_path, change):
    out, run, settings = tmp_path / "out", small_own, {"k": 4, "part_size": 64}
    recommend_all(run.path, users, out, **settings)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    if change == "users":
        pd.DataFrame({"user_id": asked(users)[::-1]}).to_parquet(users / "c.parquet")
    elif change == "run":
        run = small_best
    else:
        settings[change.replace(" ", "_")] += 1
    with pytest.raises(InputError, match="begun with another run, other users, or another k"):
        recommend_all(run.path, users, out, **settings)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_folder_of_something_else_is_refused_and_kept(small_own, users, tmp_path):
    with pytest.raises(InputError, match="not of such a job; name a new folder with --out"):
        recommend_all(small_own.path, users, users)
    assert {path.name for path in users.iterdir()} == {"a.parquet", "b.parquet"}


def test_users_that_are_not_known_are_named(small_own, tmp_path):
    pd.DataFrame({"user_id": [1, 987_654]}).to_parquet(tmp_path / "u.parquet")
    with pytest.raises(InputError, match="unknown user id 987654"):
        recommend_all(small_own.path, tmp_path / "u.parquet", tmp_path / "out")


def test_rows_without_a_user_are_refused(small_own, tmp_path):
    frame = pd.DataFrame({"user_id": pd.array([1, None], dtype="Int64")})
    frame.to_parquet(tmp_path / "u.parquet")
    with pytest.raises(InputError, match="rows without a user_id"):
        recommend_all(small_own.path, tmp_path / "u.parquet", tmp_path / "out")


@pytest.mark.parametrize("packed", ["zstd", "gzip", "lz4", "brotli", "none"])
def test_users_may_be_packed_as_any_program_packs_them(small_own, tmp_path, packed):
    frame = pd.DataFrame({"user_id": [1, 2, 3], "since": pd.to_datetime([1, 2, 3])})
    frame.to_parquet(tmp_path / "u.parquet", compression=packed)
    made = recommend_all(small_own.path, tmp_path / "u.parquet", tmp_path / "out")
    assert made["users"] == 3


@pytest.mark.parametrize("content", [None, b"user_id\n1\n", {"user": [1]}, {"user_id": ["1"]}])
def test_file_that_holds_no_users_is_refused(small_own, tmp_path, content):
    file = tmp_path / "u.parquet"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content:
        pd.DataFrame(content).to_parquet(file)
    with pytest.raises(InputError, match=r"u\.parquet (cannot be read|has the columns)"):
        recommend_all(small_own.path, file, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_columns_that_are_no_users_are_named(small_own, tmp_path):
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2.0])], names=["user_id", "user_id"])
    pq.write_table(twice, tmp_path / "u.parquet")
    with pytest.raises(
        InputError, match=r"columns user_id \(int64\), user_id \(double\); expected"
    ):
        recommend_all(small_own.path, tmp_path / "u.parquet", tmp_path / "out")


def test_file_whose_middle_is_damaged_is_told(small_own, users, tmp_path):
    file = users / "a.parquet"
    content = bytearray(file.read_bytes())
    end = len(content) - 8 - int.from_bytes(content[-8:-4], "little")  # there its schema begins
    content[4:end] = bytes(byte ^ 0x5A for byte in content[4:end])
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.parquet cannot be read as Parquet"):
        recommend_all(small_own.path, users, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_folder_of_a_process_that_was_killed_at_once_can_be_used(small_own, users, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "._job.json.new").write_text('{"ru')
    recommend_all(small_own.path, users, tmp_path / "out", 3)
    check(small_own, users, tmp_path / "out", 3)


def test_parts_that_somebody_removed_are_made_and_meanwhile_it_is_not_finished(
    small_own, users, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    recommend_all(small_own.path, users, out, 3, part_size=64)
    (out / "part-00001.parquet").unlink()
    finished = []
    make = batch._make
    monkeypatch.setattr(
        batch, "_make", lambda *a: (finished.append((out / "_SUCCESS").exists()), make(*a))[1]
    )
    assert recommend_all(small_own.path, users, out, 3, part_size=64)["made"] == 1
    assert finished == [False]
    check(small_own, users, out, 3)


def test_several_workers_without_dask_say_what_to_install(small_own, users, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)  # an import of it fails
    with pytest.raises(InputError, match=r"needs distributed, .*movierec\[batch\]"):
        recommend_all(small_own.path, users, tmp_path / "out", workers=2)


@pytest.mark.parametrize("setting", [{"k": 0}, {"workers": 0}, {"part_size": 0}])
def test_setting_out_of_range_is_refused(small_own, users, tmp_path, setting):
    with pytest.raises(InputError, match=r"got \w+.* 0"):
        recommend_all(small_own.path, users, tmp_path / "out", **setting)
