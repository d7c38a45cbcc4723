"""Every form reads into one schema; every fault names file, line, text and expectation."""

from __future__ import annotations

import errno
import io
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from forms import EVERY_FILE, FORMS, Files, write_folder, write_zip, zipped
from worlds import write_ml1m

from movierec import grouplens
from movierec.data import datasets, sources
from movierec.data.datasets import load_dataset
from movierec.data.readers import read_csv
from movierec.data.sources import one_file
from movierec.data.tables import Tables, validate_tables
from movierec.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:unclosed.*socket:ResourceWarning")


def with_line(form: str, name: str, number: int, line: bytes) -> Files:
    """The files of a form, one line of one of them replaced."""
    lines = FORMS[form][name].split(b"\n")
    lines[number - 1] = line
    return FORMS[form] | {name: b"\n".join(lines)}


def complaint(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_dataset("mine", path)
    return str(caught.value)


# --- good input ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("container", ["folder", "folder in a folder", "zip"])
def test_every_form_reads_into_one_schema(tmp_path, form, container):
    if container == "zip":
        path = write_zip(tmp_path / "set.zip", FORMS[form])
    else:
        path = write_folder(tmp_path / "set", FORMS[form])
    tables = load_dataset("mine", tmp_path if container == "folder in a folder" else path)

    assert tables.name == "mine"
    assert tables.users["user_id"].tolist() == [1, 2, 5]
    assert tables.movies["movie_id"].tolist() == [1, 2, 7]
    assert tables.movies["title"].iloc[0] == "Silent Harbour, The (1984)"
    assert "Café" in tables.movies["title"].iloc[1]
    assert tables.movies["year"].iloc[:2].tolist() == [1984, 2001]
    assert tables.ratings["user_id"].tolist() == [1, 1, 2, 5]  # in the order of the file
    assert tables.ratings["movie_id"].tolist() == [1, 7, 1, 2]
    assert tables.ratings["timestamp"].tolist() == [1000, 1001, 1002, 999]
    assert tables.ratings.dtypes.astype(str).tolist() == ["int64", "int64", "float32", "int64"]
    assert str(tables.movies["year"].dtype) == "Int64"


def test_ml1m_demographics_are_codes_as_in_the_file(tmp_path):
    tables = load_dataset("mine", write_folder(tmp_path / "set", FORMS["ml-1m"]))
    assert tables.has_demographics
    assert tables.users["gender"].tolist() == ["F", "M", "M"]
    assert tables.users["age"].tolist() == [25, 1, 56]
    assert tables.users["occupation"].tolist() == [4, 20, 0]
    assert tables.users["zip"].tolist() == ["12345", "54321-6", "00001"]
    assert tables.occupations[4] == "college/grad student"
    assert len(tables.occupations) == 21


def test_ml1m_title_and_zip_may_hold_the_separator(tmp_path):
    tables = load_dataset("mine", write_folder(tmp_path / "set", FORMS["ml-1m"]))
    assert tables.movies["title"].iloc[1] == "Café :: the Sequel (2001)"
    assert tables.movies["genres"].iloc[1] == "Comedy"
    odd = FORMS["ml-1m"] | {"movies.dat": b"1:::Up:::Drama\n2::Down::::\n7::Out::Sci-Fi\n"}
    titles = load_dataset("mine", write_folder(tmp_path / "odd", odd)).movies["title"]
    assert titles.tolist() == [":Up:", "Down::", "Out"]
    users = FORMS["ml-1m"]["users.dat"].replace(b"12345", b"12::345")
    far = write_folder(tmp_path / "far", FORMS["ml-1m"] | {"users.dat": users})
    assert load_dataset("mine", far).users["zip"].iloc[0] == "12::345"


def test_ml100k_occupations_and_genres_get_their_names(tmp_path):
    tables = load_dataset("mine", write_folder(tmp_path / "set", FORMS["ml-100k"]))
    assert tables.occupations == ("artist", "none")
    assert tables.users["occupation"].tolist() == [0, 1, 0]
    assert tables.users["age"].tolist() == [24, 9, 70]
    assert tables.movies["genres"].tolist() == ["Drama|Comedy", "Comedy", "unknown"]
    assert tables.movies["year"].isna().tolist() == [False, False, True]
    odd = {"u.genre": b"unknown|0\nDra|ma|1\nComedy|2\n", "u.occupation": b"artist\n \t\nnone\n"}
    users = FORMS["ml-100k"]["u.user"].replace(b"T8H1N", b"T8|H1N")
    odd = FORMS["ml-100k"] | odd | {"u.user": users}
    tables = load_dataset("mine", write_folder(tmp_path / "odd", odd))
    assert tables.occupations == ("artist", "none")  # a blank line is none
    assert tables.users["zip"].tolist() == ["12345", "T8|H1N", "00001"]


def test_csv_sets_have_half_stars_and_no_demographics(tmp_path):
    tables = load_dataset("mine", write_folder(tmp_path / "set", FORMS["csv"]))
    assert tables.ratings["rating"].tolist() == [5.0, 3.5, 0.5, 1.0]
    assert not tables.has_demographics
    assert tables.users.columns.tolist() == ["user_id"]
    assert tables.occupations == ()


def test_csv_files_may_begin_with_empty_lines(tmp_path):
    files = {name: b"\r\n\n" + content for name, content in FORMS["csv"].items()}
    assert len(load_dataset("mine", write_folder(tmp_path / "set", files)).ratings) == 4


def test_csv_columns_are_found_by_name_in_any_order(tmp_path):
    swapped = b"rating,extra,movieId,timestamp,userId\n4.5,x,7,1000,2\n"
    files = FORMS["csv"] | {"ratings.csv": swapped}
    ratings = load_dataset("mine", write_folder(tmp_path / "set", files)).ratings
    assert ratings.iloc[0].tolist() == [2, 7, 4.5, 1000]


@pytest.mark.parametrize(("form", "name"), EVERY_FILE)
@pytest.mark.parametrize("change", ["windows line ends", "blank lines", "byte-order mark"])
def test_harmless_differences_of_a_file_change_nothing(tmp_path, form, name, change):
    content = FORMS[form][name]
    changed = {
        "windows line ends": content.replace(b"\n", b"\r\n"),
        "blank lines": content + b"\n\n",
        "byte-order mark": b"\xef\xbb\xbf" + content.decode("utf-8", "ignore").encode(),
    }[change]
    if change == "byte-order mark":  # which says that the file is UTF-8, so its text must be
        content = changed[3:]
    expected = load_dataset("mine", write_folder(tmp_path / "plain", FORMS[form] | {name: content}))
    found = load_dataset("mine", write_folder(tmp_path / "other", FORMS[form] | {name: changed}))
    for table in ("users", "movies", "ratings"):
        pd.testing.assert_frame_equal(getattr(found, table), getattr(expected, table))
    assert found.occupations == expected.occupations


def test_simulated_world_survives_its_ml1m_files(tmp_path, small_tables):
    write_ml1m(small_tables, tmp_path / "set")
    found = load_dataset("sample", tmp_path / "set")
    pd.testing.assert_frame_equal(found.users, small_tables.users)
    pd.testing.assert_frame_equal(found.movies, small_tables.movies)
    pd.testing.assert_frame_equal(found.ratings, small_tables.ratings)


def test_sample_needs_no_path_and_no_files(monkeypatch, tmp_path):
    monkeypatch.setenv("MOVIEREC_DATA", str(tmp_path))
    assert load_dataset("sample").name == "sample"
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["ml-1m", "ml-1m.zip"])
def test_data_folder_is_searched_before_the_network(tmp_path, monkeypatch, place):
    monkeypatch.setenv("MOVIEREC_DATA", str(tmp_path))
    monkeypatch.setattr(grouplens, "download", lambda name: pytest.fail("asked the network"))
    write = write_zip if place.endswith("zip") else write_folder
    write(tmp_path / place, FORMS["ml-1m"])
    assert load_dataset("ml-1m").name == "ml-1m"


def test_a_file_by_itself_is_read_with_all_its_columns(tmp_path):
    path, types = tmp_path / "pairs.csv", {"movie_id": pa.int64(), "user_id": pa.int64()}
    path.write_text("user_id,note,movie_id\n1,007,2\n")
    found = read_csv(one_file(path), path.name, types, others=True)
    assert found.to_dict("list") == {"user_id": [1], "note": ["007"], "movie_id": [2]}
    for text, told in (
        ("", f"{path} is empty; expected at least one line"),
        ("user_id,movie_id\n1,2\n3\n", f"{path}, line 3: got '3'"),
        (
            "user_id,movie_id,x,x\n1,2,3,4\n",
            f"{path}, line 1: got 'user_id,movie_id,x,x'; expected a CSV file in UTF-8 with the "
            "columns movie_id, user_id: x, x stands there twice",
        ),
        (
            f'user_id,movie_id\n1,2\n"{"x" * 200_000}"\n',
            "expected a CSV record (field larger than field limit (131072))",
        ),
        ("user_id,movie_id", f"{path} could not be read (CSV parse error: Empty CSV file"),
    ):
        path.write_text(text)
        with pytest.raises(InputError) as caught:
            read_csv(one_file(path), path.name, types, others=True)
        assert told in str(caught.value)


# --- bad input: one line -------------------------------------------------------------------------

RATINGS_1M = "user_id::movie_id::rating::timestamp"
BAD_LINES = {
    # separators and fields
    "1m rating with commas": ("ml-1m", "ratings.dat", 3, b"2,1,4,1002", RATINGS_1M),
    "1m rating with tabs": ("ml-1m", "ratings.dat", 3, b"2\t1\t4\t1002", RATINGS_1M),
    "1m rating with single colons": ("ml-1m", "ratings.dat", 3, b"2:1:4:1002", RATINGS_1M),
    "1m rating with a field too few": ("ml-1m", "ratings.dat", 3, b"2::1::4", RATINGS_1M),
    "1m rating with a field too many": ("ml-1m", "ratings.dat", 3, b"2::1::4::1::1", RATINGS_1M),
    "1m user with commas": ("ml-1m", "users.dat", 2, b"2,M,1,20,54321", "user_id::gender"),
    "1m movie with bars": ("ml-1m", "movies.dat", 3, b"7|Tin Moon|Sci-Fi", "movie_id::title"),
    "100k rating with spaces": ("ml-100k", "u.data", 2, b"1 7 3 1001", r"user_id\tmovie_id"),
    "100k user with commas": ("ml-100k", "u.user", 2, b"2,9,M,none,T8H1N", "user_id|age"),
    "100k movie with a flag too few": (
        "ml-100k",
        "u.item",
        2,
        b"2|Two|||x|0|0",
        "movie_id|title|release date|video release date|IMDb URL|unknown 0 or 1|Drama",
    ),
    "100k genre without number": ("ml-100k", "u.genre", 2, b"Drama", "name|number"),
    "csv header with semicolons": ("csv", "ratings.csv", 1, b"userId;movieId", "userId, movieId"),
    "csv header with a column missing": (
        "csv",
        "ratings.csv",
        1,
        b"userId,movieId,rating",
        "timestamp missing; where the times are not known, add the column with 0",
    ),
    "csv header with semicolons alone": (
        "csv",
        "movies.csv",
        1,
        b"movieId;title;genres",
        "its fields stand between ';', save it with commas",
    ),
    "csv header with other names": ("csv", "movies.csv", 1, b"id,title,genres", "rename"),
    "csv header in UTF-16": (
        "csv",
        "movies.csv",
        1,
        "\ufeffmovieId,title,genres".encode("utf-16-le"),
        "save it as UTF-8",
    ),
    "csv rating with semicolons": (
        "csv",
        "ratings.csv",
        3,
        b"1;7;3.5;1001",
        "Expected 4 columns, got 1",
    ),
    "csv movie with a field too many": ("csv", "movies.csv", 3, b"2,Two,Comedy,x", "in quotes"),
    # characters that no text has, one of which is the reader's own separator
    "1m title of two units": ("ml-1m", "movies.dat", 3, b"7::Ti\x1fn::War", "encoding"),
    "1m zip of two units": ("ml-1m", "users.dat", 2, b"2::M::1::20::54\x1f321", "bad encoding"),
    "100k escape in a link": ("ml-100k", "u.item", 2, b"2|Two|||\x1b[x|0|0|1", "bad encoding"),
    "100k escape in a genre": ("ml-100k", "u.genre", 2, b"Dr\x1bama|1", "bad encoding"),
    # ids
    "1m user id in letters": ("ml-1m", "users.dat", 2, b"two::M::1::20::5", "user_id::gender"),
    "1m movie id in letters": ("ml-1m", "movies.dat", 3, b"x7::Tin::War", "movie_id::title"),
    "1m rating's user in letters": ("ml-1m", "ratings.dat", 3, b"x2::1::4::1002", RATINGS_1M),
    "1m rating's movie a fraction": ("ml-1m", "ratings.dat", 3, b"2::1.5::4::1002", RATINGS_1M),
    "1m rating in words": ("ml-1m", "ratings.dat", 3, b"2::1::good::1002", RATINGS_1M),
    "1m time as a date": ("ml-1m", "ratings.dat", 3, b"2::1::4::2001-01-01", RATINGS_1M),
    "1m id beyond all ids": (
        "ml-1m",
        "ratings.dat",
        3,
        b"9999999999::1::4::1002",
        "from 0 to 2147483647",
    ),
    "100k user id in letters": ("ml-100k", "u.user", 2, b"x|9|M|none|1", "user_id|age"),
    "100k rating's movie in letters": (
        "ml-100k",
        "u.data",
        2,
        b"1\tx\t3\t1",
        r"user_id\tmovie_id",
    ),
    "csv movie id in letters": ("csv", "movies.csv", 3, b"x,Two,Comedy", "movieId"),
    "csv rating's user in letters": (
        "csv",
        "ratings.csv",
        3,
        b"x,7,3.5,1001",
        "(userId, int64: inv",
    ),
    "csv negative user": ("csv", "ratings.csv", 4, b"-2,1,0.5,1002", "user_id: a whole number"),
    # ranges
    "1m rating above 5": ("ml-1m", "ratings.dat", 3, b"2::1::6::1002", "0.5 to 5 stars"),
    "1m rating of 0": ("ml-1m", "ratings.dat", 3, b"2::1::0::1002", "0.5 to 5 stars"),
    "1m negative rating": ("ml-1m", "ratings.dat", 3, b"2::1::-4::1002", "0.5 to 5 stars"),
    "1m rating that is no number": ("ml-1m", "ratings.dat", 3, b"2::1::nan::1002", "stars"),
    "1m negative time": ("ml-1m", "ratings.dat", 3, b"2::1::4::-1", "timestamp: Unix seconds, 0"),
    "1m gender": ("ml-1m", "users.dat", 2, b"2::X::1::20::5", "gender"),
    "1m age": ("ml-1m", "users.dat", 2, b"2::M::131::20::5", "years from 0 to 130"),
    "1m occupation": ("ml-1m", "users.dat", 2, b"2::M::1::21::5", "a code below 21"),
    "100k rating above 5": ("ml-100k", "u.data", 2, b"1\t7\t9\t1001", "0.5 to 5 stars"),
    "100k occupation": ("ml-100k", "u.user", 2, b"2|9|M|juggler|1", "u.occupation"),
    "csv rating above 5": ("csv", "ratings.csv", 3, b"1,7,5.5,1001", "0.5 to 5 stars"),
    # across tables
    "1m unknown user": ("ml-1m", "ratings.dat", 3, b"3::1::4::1002", "user_id 3 is unknown"),
    "1m unknown movie": ("ml-1m", "ratings.dat", 3, b"2::3::4::1002", "movie_id 3 is unknown"),
    "1m duplicate rating": ("ml-1m", "ratings.dat", 3, b"1::1::2::7", "one rating a user and"),
    "1m duplicate user": ("ml-1m", "users.dat", 2, b"1::F::1::20::5", "stands in one row only"),
    "1m duplicate movie": ("ml-1m", "movies.dat", 2, b"1::Two::War", "stands in one row only"),
    "100k unknown user": ("ml-100k", "u.data", 2, b"3\t7\t3\t1001", "user_id 3 is unknown"),
    "100k unknown movie": ("ml-100k", "u.data", 2, b"1\t3\t3\t1001", "movie_id 3 is unknown"),
    "100k duplicate rating": ("ml-100k", "u.data", 3, b"1\t1\t3\t1001", "one rating a user"),
    "csv unknown movie": ("csv", "ratings.csv", 4, b"2,3,0.5,1002", "movie_id 3 is unknown"),
    "csv duplicate rating": ("csv", "ratings.csv", 4, b"1,1,0.5,1002", "one rating a user and"),
    "csv duplicate movie": ("csv", "movies.csv", 3, b"1,Two,Comedy", "stands in one row only"),
    "movie without a title": ("ml-1m", "movies.dat", 3, b"7:: ::War", "a title"),
    # encodings
    "1m movie in another code page": ("ml-1m", "movies.dat", 3, b"7::\x81\x8d::War", "encoding"),
    "csv movie in latin-1": ("csv", "movies.csv", 3, b"2,Caf\xe9,Comedy", "UTF-8"),
}


LINKS = b"movieId,imdbId,tmdbId\n1,0114709,862\n2,0113497,\n99,0000001,12\n"


def test_csv_sets_may_have_links_to_another_database(tmp_path):
    path = write_folder(tmp_path / "set", FORMS["csv"] | {"links.csv": LINKS})
    movies = load_dataset("mine", path).movies
    assert movies["tmdb_id"].tolist() == [862, pd.NA, pd.NA]
    assert str(movies["tmdb_id"].dtype) == "Int64"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"2,1,tt0113497", "a number of up to nine digits"),
        (b"2,1,9999999999", "a number of up to nine digits"),
        (b"1,1,1", "one line a film"),
        (b"2,1", "Expected 3 columns, got 2"),
    ],
)
def test_bad_link_is_named_and_shown(tmp_path, line, expected):
    links = LINKS.replace(b"2,0113497,", line)
    path = write_folder(tmp_path / "set", FORMS["csv"] | {"links.csv": links})
    message = complaint(path)
    assert f"{path}/links.csv, line 3: got {line.decode()!r}; expected " in message
    assert expected in message


@pytest.mark.parametrize("container", ["folder", "zip"])
@pytest.mark.parametrize(
    ("form", "name", "number", "line", "expected"), BAD_LINES.values(), ids=BAD_LINES
)
def test_bad_line_is_named_and_shown(tmp_path, form, name, number, line, expected, container):
    files = with_line(form, name, number, line)
    write = write_zip if container == "zip" else write_folder
    path = write(tmp_path / "set", files)
    encoding = "utf-8" if form == "csv" else "latin-1"
    message = complaint(path)
    assert f"{path}/{name}, line {number}: " in message
    assert f"got {line.decode(encoding, 'replace')!r}"[:70] in message
    assert "; expected " in message
    assert expected in message.split("; expected ", 1)[1]
    assert "\n" not in message


def test_line_number_counts_blank_lines_and_windows_line_ends(tmp_path):
    ratings = b"1::1::5::1000\r\n\r\n\r\n2::1::6::1002\r\n"
    path = write_folder(tmp_path / "set", FORMS["ml-1m"] | {"ratings.dat": ratings})
    assert "ratings.dat, line 4: got '2::1::6::1002'; expected " in complaint(path)


def test_long_line_is_shown_shortened(tmp_path):
    path = write_folder(tmp_path / "set", with_line("ml-1m", "users.dat", 2, b"x" * 5000))
    message = complaint(path)
    assert "users.dat, line 2: got 'xxx" in message
    assert len(message) < 400


def test_number_written_with_a_leading_point_is_not_blamed_for_another_line(tmp_path):
    ratings = b"userId,movieId,rating,timestamp\n1,1,.5,1000\n1,7,1e0,1001\n2,x,3,1002\n"
    path = write_folder(tmp_path / "set", FORMS["csv"] | {"ratings.csv": ratings})
    assert "ratings.csv, line 4: got '2,x,3,1002'" in complaint(path)


def test_line_of_a_csv_field_that_is_too_long_is_shown(tmp_path):
    line = b'x,"' + b"y" * 200_000 + b'",Comedy'
    path = write_folder(tmp_path / "set", with_line("csv", "movies.csv", 3, line))
    assert "movies.csv, line 3: got 'x,\"yyy" in complaint(path)


# --- bad input: whole files ----------------------------------------------------------------------


@pytest.mark.parametrize(("form", "name"), EVERY_FILE)
@pytest.mark.parametrize("container", ["folder", "zip"])
def test_missing_file_is_named_with_what_was_expected(tmp_path, form, name, container):
    files = {other: content for other, content in FORMS[form].items() if other != name}
    path = (write_zip if container == "zip" else write_folder)(tmp_path / "set", files)
    message = complaint(path)
    assert str(path) in message
    assert name in message
    assert "expected" in message


@pytest.mark.parametrize(("form", "name"), EVERY_FILE)
@pytest.mark.parametrize("content", [b"", b"\n \r\n"])
def test_empty_file_is_named(tmp_path, form, name, content):
    path = write_folder(tmp_path / "set", FORMS[form] | {name: content})
    message = complaint(path)
    assert f"{path}/{name} is empty; expected " in message


@pytest.mark.parametrize("name", FORMS["csv"])
def test_csv_file_of_a_header_alone_is_named(tmp_path, name):
    header = FORMS["csv"][name].split(b"\n")[0] + b"\n"
    path = write_folder(tmp_path / "set", FORMS["csv"] | {name: header})
    message = complaint(path)
    assert f"{path}/{name}" in message
    assert "expected at least one" in message


@pytest.mark.parametrize(("form", "name"), EVERY_FILE)
def test_file_in_utf16_is_refused_by_name(tmp_path, form, name):
    text = FORMS[form][name].decode("utf-8" if form == "csv" else "latin-1")
    path = write_folder(tmp_path / "set", FORMS[form] | {name: text.encode("utf-16")})
    message = complaint(path)
    assert f"{path}/{name}, line 1: got " in message
    assert "expected" in message


def test_path_that_is_not_there(tmp_path):
    message = complaint(tmp_path / "nowhere")
    there = f"{tmp_path / 'nowhere'} does not exist"
    assert f"{there}; expected a folder or zip of the files of mine" in message


def test_folder_of_something_else_says_what_it_found_and_expects(tmp_path):
    path = write_folder(tmp_path / "set", {"holiday.jpg": b"x"})
    message = complaint(path)
    for part in (str(path), "holiday.jpg", "ratings.dat", "u.data", "ratings.csv"):
        assert part in message


def test_unknown_name_lists_the_names_and_the_local_way():
    with pytest.raises(InputError, match="unknown data set 'ml-2m'") as caught:
        load_dataset("ml-2m")
    for part in (*datasets.names(), "--from PATH"):
        assert part in str(caught.value)


@pytest.mark.parametrize("container", ["folder", "zip"])
def test_file_that_may_not_be_read_is_named(tmp_path, monkeypatch, container):
    def refuse(*arguments: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    write = write_zip if container == "zip" else write_folder
    path = write(tmp_path / "set", FORMS["ml-1m"])
    monkeypatch.setattr(
        *((zipfile, "ZipFile") if container == "zip" else (Path, "read_bytes")), refuse
    )
    message = complaint(path)
    assert str(path) in message
    assert "Permission denied" in message


# --- bad input: archives -------------------------------------------------------------------------


def broken_checksum() -> bytes:
    """An archive whose ratings are stored plainly, one byte of them changed."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, content in FORMS["ml-1m"].items():
            archive.writestr(name, content)
    return sink.getvalue().replace(b"1::7::3::1001", b"1::7::4::1001", 1)


def encrypted() -> bytes:
    """An archive whose entries are marked as needing a password."""
    content = bytearray(zipped(FORMS["ml-1m"]))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = content.find(mark)
        while at >= 0:
            content[at + place] |= 1
            at = content.find(mark, at + 1)
    return bytes(content)


def broken_stream(method: int) -> bytes:
    """An archive whose compressed ratings are garbage."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", method) as archive:
        for name, content in FORMS["ml-1m"].items():
            archive.writestr(name, content)
        entry = archive.getinfo("ratings.dat")
    content = bytearray(sink.getvalue())
    start = entry.header_offset + 30 + len("ratings.dat")
    content[start : start + entry.compress_size] = b"\xff" * entry.compress_size
    return bytes(content)


CORRUPT = {
    "not a zip": lambda: b"<html>Service unavailable</html>",
    "an empty file": lambda: b"",
    "cut short": lambda: zipped(FORMS["ml-1m"])[:-40],
    "a checksum that differs": broken_checksum,
    "a password": encrypted,
    "garbage, deflate": lambda: broken_stream(zipfile.ZIP_DEFLATED),
    "garbage, bzip2": lambda: broken_stream(zipfile.ZIP_BZIP2),
}


def test_a_file_in_place_of_its_folder_is_not_to_be_deleted(tmp_path):
    path = write_folder(tmp_path / "set", FORMS["csv"]) / "ratings.csv"
    assert f"{path} is one file; expected the folder that holds it" in complaint(path)


@pytest.mark.parametrize("content", CORRUPT.values(), ids=CORRUPT)
def test_corrupt_zip_says_so_and_how_to_mend_it(tmp_path, content: Callable[[], bytes]):
    path = tmp_path / "set.zip"
    path.write_bytes(content())
    message = complaint(path)
    assert f"{path} is not a readable zip (" in message
    assert "download it again" in message


@pytest.mark.parametrize(
    "entry", ["../evil.dat", "set/../../evil.dat", "/evil.dat", "..\\evil.dat", "C:\\evil.dat"]
)
def test_zip_that_writes_outside_its_folder_is_refused_and_writes_nothing(tmp_path, entry):
    path = tmp_path / "inner" / "set.zip"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in FORMS["ml-1m"].items():
            archive.writestr(name, content)
        archive.writestr(entry, b"1::1::1::1\n")
    before = sorted(tmp_path.rglob("*"))
    message = complaint(path)
    assert str(path) in message
    assert repr(entry) in message
    assert "outside its folder" in message
    assert sorted(tmp_path.rglob("*")) == before


def test_reading_a_zip_unpacks_nothing(tmp_path):
    path = write_zip(tmp_path / "set.zip", FORMS["ml-1m"])
    load_dataset("mine", path)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("claimed", [2**40, 2**62])
def test_zip_that_claims_to_hold_more_than_it_can_is_not_unpacked(tmp_path, claimed):
    content = zipped(FORMS["csv"] | {"ratings.csv": b"\0" * 1000})
    at = content.index(b"PK\x01\x02", content.index(b"PK\x01\x02") + 4)  # ratings.csv's entry
    name = content.index(b"set/ratings.csv", at)
    extra = b"\x01\x00\x08\x00" + claimed.to_bytes(8, "little")  # a length of 64 bits
    forged = bytearray(content)
    forged[at + 24 : at + 28] = b"\xff" * 4
    forged[at + 30 : at + 32] = len(extra).to_bytes(2, "little")
    forged[name + 15 : name + 15] = extra
    end = forged.rindex(b"PK\x05\x06")
    size = int.from_bytes(forged[end + 12 : end + 16], "little") + len(extra)
    forged[end + 12 : end + 16] = size.to_bytes(4, "little")
    path = tmp_path / "set.zip"
    path.write_bytes(forged)
    assert f"ratings.csv of {claimed:,} bytes unpacked; expected" in complaint(path)


def test_zip_that_really_unpacks_to_a_multitude_is_refused_before_it_does(tmp_path, monkeypatch):
    monkeypatch.setattr(sources, "UNPACKED_ALWAYS", 2**20)
    path = tmp_path / "set.zip"
    path.write_bytes(zipped(FORMS["csv"] | {"ratings.csv": b"1,1,1,1\n" * 2**20}))
    assert path.stat().st_size < 2**15  # an eighth of a thousandth of what it holds
    opened = zipfile.ZipFile.open

    def open_no_ratings(archive: zipfile.ZipFile, member: zipfile.ZipInfo, *rest):
        assert "ratings" not in member.filename, "it was unpacked"
        return opened(archive, member, *rest)

    monkeypatch.setattr(zipfile.ZipFile, "open", open_no_ratings)
    assert "ratings.csv of 8,388,608 bytes unpacked; expected" in complaint(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_of_a_zip_that_is_longer_than_it_claims_takes_no_memory(tmp_path, method):
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("movies.csv", FORMS["csv"]["movies.csv"], zipfile.ZIP_DEFLATED)
        archive.writestr("ratings.csv", FORMS["csv"]["ratings.csv"] + b"\n" * 2**26)
    forged = bytearray(path.read_bytes())
    at = forged.rindex(b"PK\x01\x02") + 24
    forged[at : at + 4] = (1000).to_bytes(4, "little")
    path.write_bytes(forged)
    tracemalloc.start()
    message = complaint(path)
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
    assert "is not a readable zip" in message


@pytest.mark.parametrize("name", ["u.genre", "u.occupation"])
def test_a_list_of_genres_or_occupations_has_a_length(tmp_path, name):
    files = FORMS["ml-100k"] | {name: b"".join(b"%d|%d\n" % (n, n) for n in range(100_000))}
    assert f"{name} is too long; expected 1,048,576 bytes" in complaint(
        write_folder(tmp_path / "set", files)
    )


def test_occupations_are_a_thousand_at_most(tmp_path):
    more = b"".join(b"%d\n" % n for n in range(1_000))
    files = FORMS["ml-100k"] | {"u.occupation": FORMS["ml-100k"]["u.occupation"] + more}
    message = complaint(write_folder(tmp_path / "set", files))
    assert "occupations; expected 1,000 at most" in message


def test_a_folder_within_a_data_folder_is_no_link_out_of_it(tmp_path):
    write_folder(tmp_path / "secret", FORMS["csv"])
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "csv").symlink_to(tmp_path / "secret")
    message = complaint(tmp_path / "set")
    assert f"{tmp_path / 'set' / 'csv'} is a link that leads out of" in message


@pytest.mark.parametrize("target", ["file", "folder"])
def test_link_out_of_a_data_folder_is_not_followed(tmp_path, target):
    (tmp_path / "secret").write_text("1::Secret::Drama\n")
    path = write_folder(tmp_path / "set", FORMS["ml-1m"])
    (path / "movies.dat").unlink()
    (path / "movies.dat").symlink_to(tmp_path / "secret")
    if target == "folder":  # a folder that is itself a link is the caller's own choice
        (tmp_path / "way").symlink_to(path)
        path = tmp_path / "way"
    message = complaint(path)
    assert "movies.dat is a link that leads out of" in message
    assert message.endswith("; expected the file itself. Copy it there, if you trust it")
    assert "Secret" not in message


def test_a_pipe_or_a_device_is_no_data_file(tmp_path):
    path = write_folder(tmp_path / "set", FORMS["ml-1m"])
    (path / "ratings.dat").unlink()
    os.mkfifo(path / "ratings.dat")  # which would be waited at for ever
    assert "has no ratings" in complaint(path)
    os.mkfifo(tmp_path / "pipe")
    assert "expected a folder or zip of the files" in complaint(tmp_path / "pipe")
    with pytest.raises(InputError, match="cannot read .*pipe: expected a file"):
        read_csv(one_file(tmp_path / "pipe"), "pipe", {"movie_id": pa.int64()})


@pytest.mark.parametrize(("form", "name"), [("ml-1m", "ratings.dat"), ("csv", "ratings.csv")])
def test_line_of_100_megabytes_is_refused_by_its_number(tmp_path, form, name):
    whole = FORMS[form][name]
    path = write_folder(tmp_path / "set", FORMS[form] | {name: whole + b"7" * 100_000_000})
    message = complaint(path)
    assert f"{name}, line {1 + whole.count(10)}: got '777" in message
    assert len(message) < 400


@pytest.mark.parametrize("character", ["\x1b", "\x00", "\n", "\x9b", "\x7f"])
@pytest.mark.parametrize("column", ["title", "genres"])
def test_control_characters_in_what_is_shown_are_refused(plain_tables, column, character):
    movies = plain_tables.movies.copy()
    movies.loc[2, column] = f"A{character}]0;owned"
    with pytest.raises(InputError, match="movies, row 3: .*text without control characters") as e:
        validate_tables(Tables(plain_tables.users, movies, plain_tables.ratings))
    assert character not in str(e.value)


# --- tables of one's own -------------------------------------------------------------------------


def test_own_tables_are_sorted_and_get_their_years(plain_tables):
    mixed = Tables(
        plain_tables.users.iloc[::-1],
        plain_tables.movies.drop(columns="year").iloc[::-1],
        plain_tables.ratings,
    )
    checked = validate_tables(mixed)
    for table, ids in ((checked.users, [1, 2, 4, 6]), (checked.movies, [2, 3, 5, 6, 8])):
        assert table.iloc[:, 0].to_dict() == dict(enumerate(ids))
    assert checked.movies["year"].astype("string").fillna("none").tolist() == [
        "1950",
        "none",
        "1960",
        "1999",
        "2001",
    ]


def test_own_years_are_kept_whatever_the_titles_say(plain_tables):
    movies = plain_tables.movies.assign(year=pd.array([1951, 1952, None, 1954, 1955], "Int64"))
    checked = validate_tables(Tables(plain_tables.users, movies, plain_tables.ratings))
    assert checked.movies["year"].equals(movies["year"])


def test_own_ratings_of_several_frames_are_still_named_by_row(plain_tables):
    doubled = plain_tables.ratings.iloc[[0, 1]].assign(rating=np.float32(9), user_id=[2, 4])
    ratings = pd.concat([plain_tables.ratings, doubled])  # the index has its labels 0 and 1 twice
    with pytest.raises(InputError, match=r"ratings, row 9: rating 9\.0; expected .*stars"):
        validate_tables(Tables(plain_tables.users, plain_tables.movies, ratings))


def test_own_rating_of_nobody_or_twice_is_named_by_row(plain_tables):
    ratings = plain_tables.ratings
    for changed, told in (
        (
            ratings.assign(user_id=[1, 1, 9, 2, 4, 4, 4, 6]),
            "ratings, row 3: user_id 9; expected a ",
        ),
        (ratings.assign(movie_id=2), "ratings, row 2: a second rating of movie 2 by user 1; "),
    ):
        with pytest.raises(InputError) as caught:
            validate_tables(Tables(plain_tables.users, plain_tables.movies, changed))
        assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("table", "column", "value", "kind", "told"),
    [
        ("users", "gender", "X", "str", "gender 'X'; expected gender: F or M"),
        ("movies", "tmdb_id", -2, "Int64", "tmdb_id -2; expected tmdb_id: "),
    ],
)
def test_own_value_out_of_its_range_is_named(small_tables, table, column, value, kind, told):
    parts = {name: getattr(small_tables, name) for name in ("users", "movies", "ratings")}
    values = pd.array([value] * len(parts[table]), kind)
    parts[table] = parts[table].assign(**{column: values})
    with pytest.raises(InputError, match=f"{table}, row 1: {told}"):
        validate_tables(Tables(**parts, occupations=small_tables.occupations))


@pytest.mark.parametrize(
    ("table", "column"), [("users", "user_id"), ("movies", "title"), ("ratings", "timestamp")]
)
def test_missing_column_is_named(plain_tables, table, column):
    parts = {name: getattr(plain_tables, name) for name in ("users", "movies", "ratings")}
    parts[table] = parts[table].drop(columns=column)
    with pytest.raises(InputError, match=f"{table}: .*{column}.*expected the columns"):
        validate_tables(Tables(**parts))


def test_column_of_another_type_is_named(plain_tables):
    ratings = plain_tables.ratings.astype({"rating": "float64"})
    columns = "expected the columns user_id, movie_id, rating, timestamp"
    with pytest.raises(InputError, match=f"ratings: .*float32.*{columns}"):
        validate_tables(Tables(plain_tables.users, plain_tables.movies, ratings))


# --- files that end too early --------------------------------------------------------------------

SIDE = 1000  # people and films, each of whom has rated each: a million rows
LINES = {
    "ml-1m": ("ratings.dat", b"%04d::%04d::4::978300760\n", b""),
    "csv": ("ratings.csv", b"%04d,%04d,4.5,978300760\n", b"userId,movieId,rating,timestamp\n"),
}


@pytest.mark.parametrize("form", LINES)
def test_file_of_a_million_rows_cut_in_the_middle_is_read_to_its_last_line_or_refused_there(
    form, tmp_path
):
    name, line, header = LINES[form]
    others = {
        "movies.csv": b"movieId,title,genres\n" + b"".join(b"%d,x,\n" % i for i in range(SIDE))
    }
    if form == "ml-1m":
        others = {
            "movies.dat": b"".join(b"%d::x::\n" % i for i in range(SIDE)),
            "users.dat": b"".join(b"%d::F::25::4::1\n" % i for i in range(SIDE)),
        }
    path = write_folder(tmp_path / "set", others)
    whole = header + b"".join(line % (i, j) for i in range(SIDE) for j in range(SIDE))
    middle = len(header) + len(line % (0, 0)) * (SIDE**2 // 2)
    (path / name).write_bytes(whole[: middle + 8])  # within the next line's second number
    with pytest.raises(InputError) as caught:
        load_dataset("mine", path)
    cut = whole[middle : middle + 8].decode()
    assert f"{name}, line {SIDE**2 // 2 + 1 + bool(header)}: got '{cut}'; " in str(caught.value)
    (path / name).write_bytes(whole[:middle])
    ratings = load_dataset("mine", path).ratings
    assert len(ratings) == SIDE**2 // 2
    assert ratings[["user_id", "movie_id"]].iloc[-1].tolist() == [SIDE // 2 - 1, SIDE - 1]
