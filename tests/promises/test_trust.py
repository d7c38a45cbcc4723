"""Folders and texts of strangers: nothing outside is read, no claim believed, all shown as text.

Pickles in a run folder are in test_runs, hostile zips and data folders in test_datasets.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy
from commands import movierec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from movierec.errors import InputError
from movierec.files import replacing, write_whole
from movierec.lessons import network_plots, plots
from movierec.runs import Run, load_run

PARTS_OF_A_RUN = ("tables/users.parquet", "vocabularies.json", "stars.safetensors", "history.csv")


@pytest.fixture
def copy(small_own: Run, tmp_path: Path) -> Path:
    """A copy of a run folder, to be forged."""
    return shutil.copytree(small_own.path, tmp_path / "run")


def change_info(path: Path, change: Callable[[dict], object]) -> None:
    info = json.loads((path / "run.json").read_text("utf-8"))
    change(info)
    (path / "run.json").write_text(json.dumps(info), "utf-8")


def forge(path: Path, name: str, content: bytes) -> None:
    """Put other bytes in a file and their checksum in run.json."""
    (path / name).write_bytes(content)
    checksum = hashlib.sha256(content).hexdigest()
    change_info(path, lambda info: info["files"].update({name: checksum}))


def use(path: Path) -> None:
    run = load_run(path)
    assert len(run.history)
    assert len(run.weights)
    assert len(run.rows("train").rating)
    assert len(run.recommender.for_user(int(run.tables.users["user_id"].iloc[0]), k=2)) == 2


def complaint(path: Path) -> str:
    with pytest.raises(InputError, match=f"{path} is a damaged run folder: ") as caught:
        use(path)
    return str(caught.value)


# --- run folders: nothing outside ----------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["../secret", "/etc/passwd", "plots/../../secret", "plots/a.html", "C:\\a", "\x1b]0;a", "x.py"],
)
def test_file_that_is_none_of_a_run_is_not_looked_for(copy, name):
    change_info(copy, lambda info: info["files"].update({name: "0" * 64}))
    assert f"lists {name!r}, which is no file of a run" in complaint(copy)


@pytest.mark.parametrize("name", ["history.csv", "tables"])
def test_link_out_of_a_run_folder_is_not_followed(copy, tmp_path, name):
    shutil.move(copy / name, tmp_path / "elsewhere")
    (copy / name).symlink_to(tmp_path / "elsewhere")
    assert "is a link that leads out of it" in complaint(copy)


def test_run_that_a_link_of_a_report_leads_to_is_not_loaded(small_own, tmp_path):
    (tmp_path / "model").symlink_to(small_own.path)
    with pytest.raises(InputError, match="model is a link that leads out of"):
        load_run(tmp_path)


def test_a_place_to_write_in_that_is_a_link_is_not_followed(tmp_path):
    (tmp_path / "theirs").mkdir()
    (tmp_path / ".report.writing").symlink_to(tmp_path / "theirs")
    with replacing(tmp_path / "report") as new:
        new.write_text("text")
    assert (tmp_path / "report").read_text() == "text"
    assert list((tmp_path / "theirs").iterdir()) == []


def test_whole_write_does_not_follow_a_link_that_waits_for_it(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (tmp_path / ".report.new").symlink_to(victim)
    write_whole(tmp_path / "report", "text")
    assert victim.read_text() == "mine"
    assert (tmp_path / "report").read_text() == "text"
    assert not (tmp_path / "report").is_symlink()


# --- run folders: no claim fills the memory ------------------------------------------------------


def parquet(table: pa.Table, packing: str = "snappy") -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression=packing, row_group_size=2**22)
    return sink.getvalue()


def forged(content: bytes, number: int, told: int, place: int) -> bytes:
    """A Parquet file whose end has another number at the n-th place where it has one."""

    def varint(value: int, length: int) -> bytes:  # as Thrift writes 2 * number, padded
        parts = [(2 * value >> 7 * k) & 127 for k in range(length)]
        return bytes([part | 128 for part in parts[:-1]] + parts[-1:])

    length = -(-(2 * number).bit_length() // 7)
    start = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for _ in range(place + 1):
        start = content.index(varint(number, length), start + 1)
    return content[:start] + varint(told, length) + content[start + length :]


def test_table_of_few_bytes_cannot_be_of_many_rows(copy):
    rows = np.zeros(3_000_000, dtype=np.int64)
    content = parquet(pa.table({"user_id": rows}))
    assert len(content) < 100_000
    forge(copy, "tables/users.parquet", content)
    assert "claim to be 3,000,000 rows" in complaint(copy)


@pytest.mark.parametrize("places", [(0,), (0, 2), (1,)])
def test_table_that_says_two_numbers_of_rows_is_taken_at_the_larger(copy, places):
    content = parquet(pa.table({"user_id": np.zeros(3_000_000, np.int64)}))
    for place in sorted(places, reverse=True):
        content = forged(content, 3_000_000, 10, place)
    forge(copy, "tables/users.parquet", content)
    assert "claim to be 3,000,000 rows" in complaint(copy)


def test_packing_that_makes_gigabytes_of_little_is_refused(copy):
    content = parquet(pa.table({"user_id": [1]}), "zstd")
    forge(copy, "tables/users.parquet", content)
    assert "packed by ZSTD; expected SNAPPY or UNCOMPRESSED" in complaint(copy)


def test_one_long_title_cannot_stand_in_every_row(copy):
    many = np.zeros(50_000, dtype=np.int32)
    titles = pa.DictionaryArray.from_arrays(pa.array(many), pa.array(["x" * 1_000_000]))
    content = parquet(pa.table({"movie_id": np.arange(50_000), "title": titles}))
    assert len(content) < 500_000  # for 50 gigabytes
    forge(copy, "tables/movies.parquet", content)
    assert "claim to be 50,000,000,000 letters of title" in complaint(copy)


def test_column_of_lists_is_refused(copy):
    table = pa.table({"user_id": pa.array([[1, 2], [3]])})
    forge(copy, "tables/users.parquet", parquet(table))
    assert "user_id is a list" in complaint(copy)


@pytest.mark.parametrize(
    "header",
    [
        b'{"users":{"dtype":"F32","shape":[1099511627776,200],"data_offsets":[0,8]}}',
        b'{"users":{"dtype":"F32","shape":[2],"data_offsets":[0,880000000000]}}',
        b'{"users":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}',
    ],
)
@pytest.mark.parametrize("length", [None, 2**62])
def test_claims_of_a_safetensors_header_are_not_believed(copy, header, length):
    claimed = (len(header) if length is None else length).to_bytes(8, "little")
    forge(copy, "stars.safetensors", claimed + header + b"\0" * 8)
    assert "stars.safetensors is no safetensors file" in complaint(copy)


@pytest.mark.parametrize(
    "network",
    [
        {"embed_dim": 10**9},
        {"vector_dim": 10**12},
        {"windows": [2] * 10**6},
        {"windows": [10**9]},
        {"windows": "many"},
        {"no_such_setting": 1},
    ],
)
def test_network_of_a_made_up_size_is_not_built(small_run, tmp_path, network):
    copy = shutil.copytree(small_run.path, tmp_path / "run")
    from movierec.network.network import load_network

    change_info(copy, lambda info: info["config"]["network"].update(network))
    with pytest.raises(InputError, match="describe no network that its weights could be of"):
        load_network(load_run(copy))


@given(st.sampled_from(PARTS_OF_A_RUN), st.data())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_in_a_file_of_a_run_are_used_or_refused(copy, name, data):
    whole = (copy / name).read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    stop = data.draw(st.integers(start, len(whole)))
    forge(copy, name, whole[:start] + data.draw(st.binary(max_size=20)) + whole[stop:])
    try:
        use(copy)
    except InputError as error:
        assert str(copy) in str(error)  # noqa: PT017  # both ends are allowed
    forge(copy, name, whole)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 3e38])
@pytest.mark.parametrize(
    ("file", "name"), [("stars", "users"), ("watching", "correlation"), ("newcomers", "tower")]
)
def test_vectors_that_are_not_finite_are_refused(copy, file, name, number):
    place = f"{file}.safetensors"
    arrays = safetensors.numpy.load((copy / place).read_bytes())
    arrays[name][1, 0] = number
    forge(copy, place, safetensors.numpy.save(arrays))
    assert f"the array {name} is not all finite" in complaint(copy)


# --- texts are shown as text ---------------------------------------------------------------------

HOSTILE = '<script>alert("1")</script> $\\frac$ [red] =1+1 {{ 7*7 }} (1999)'


@pytest.mark.parametrize("key", ["dataset", "recipe", "occupation"])
def test_names_that_a_terminal_would_obey_are_refused(copy, key):
    name = "\x1b]0;owned\x07"
    change_info(
        copy,
        lambda info: (
            info["occupations"].append(name)
            if key == "occupation"
            else (info["config"] if key == "recipe" else info).update({key: name})
        ),
    )
    message = complaint(copy)
    assert "\x1b" not in message
    assert "expected a text that can be printed" in message


def with_title(path: Path, title: str) -> None:
    """Give the first film of a run another title, and the vocabulary its words."""
    movies = pd.read_parquet(path / "tables/movies.parquet")
    movies.loc[0, "title"] = title
    genre = movies["genres"].iloc[0].split("|")[0]  # the towers are made for as many genres
    movies["genres"] = movies["genres"].str.replace(genre, "<b>&=War", regex=False)
    movies["year"] = movies["year"].astype("Int64")
    forge(path, "tables/movies.parquet", parquet(pa.Table.from_pandas(movies)))
    from movierec.data.features import Features

    run = load_run(path)
    features = Features.fit(run.tables)
    stored = {"genres": features.genres, "words": features.words, "title_length": 15}
    forge(path, "vocabularies.json", json.dumps(stored).encode())


def test_title_of_markup_is_shown_as_it_is_by_the_commands(copy, tmp_path, monkeypatch):
    with_title(copy, HOSTILE)
    movie_id = load_run(copy).tables.movies["movie_id"].iloc[0]
    monkeypatch.setenv("COLUMNS", "250")
    for option in ([], ["--json"]):
        done = movierec(tmp_path, "recommend", "similar", movie_id, "--run", copy, *option)
        assert done.returncode == 0, done.stderr
        if not option:
            assert f"similar to {HOSTILE}" in done.stdout
    assert len(json.loads(done.stdout)) == 10


def test_more_occupations_than_there_can_be_are_refused(copy):
    change_info(copy, lambda info: info["occupations"].extend(["x"] * 100_000))
    assert "occupations" in complaint(copy)


def test_a_year_without_end_is_refused(copy):
    movies = pd.read_parquet(copy / "tables" / "movies.parquet")
    table = pa.Table.from_pandas(movies.assign(year=np.inf))
    forge(copy, "tables/movies.parquet", parquet(table))
    assert "its tables do not fit the schema" in complaint(copy)


def test_names_of_folders_are_escaped_in_the_terminal(copy, tmp_path):
    runs = [copy.rename(tmp_path / "a\x1b[31m"), tmp_path / "b\x9b31m"]
    shutil.copytree(*runs)
    for option in ([], ["--json"]):
        done = movierec(tmp_path, "evaluate", "--run", runs[0], "--run", runs[1], *option)
        assert done.returncode == 0, done.stderr
        assert not {"\x1b", "\x9b"} & {*done.stdout, *done.stderr}


def test_message_with_control_characters_is_escaped_in_the_terminal(tmp_path):
    done = movierec(tmp_path, "evaluate", "--run", "no\x1b[31m\u202ered")
    assert done.returncode == 2
    assert "no\\x1b[31m\\u202ered does not exist" in done.stderr
    assert "\x1b" not in done.stderr


def test_words_of_a_title_are_no_formula_for_matplotlib():
    words = HOSTILE.split()
    with plt.rc_context(plots.STYLE):
        figure = plt.figure()
        network_plots.window_answers(words, np.arange(len(words) - 1), 2, figure.subplots())
        figure.savefig(io.BytesIO())  # a formula that is none would raise here
        plt.close(figure)
