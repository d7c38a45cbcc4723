"""What must hold whatever bytes stand in a data file: whole tables, or one clear message.

`check(data)` is called by the fuzzer with bytes that it invents, and by the tests with those of
`corpus`, each of which once broke something or stands for a kind of damage.
"""

from __future__ import annotations

import csv
import io
import math
import re
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from forms import EVERY_FILE, FORMS

from movierec.data.datasets import load_dataset
from movierec.data.features import Features
from movierec.data.tables import Tables
from movierec.errors import InputError

CORPUS = Path(__file__).parent / "corpus"
LONGEST_MESSAGE = 1500  # characters: a message is to be read

# the file that is fuzzed takes the place of one of a small whole set
TARGETS = [*EVERY_FILE, ("zip", "set.zip")]
COUNTED = {
    "users.dat": "users",
    "u.user": "users",
    "movies.dat": "movies",
    "u.item": "movies",
    "movies.csv": "movies",
    "ratings.dat": "ratings",
    "u.data": "ratings",
    "ratings.csv": "ratings",
}


def case(form: str, name: str, content: bytes) -> bytes:
    """The bytes that stand for one file's content: a byte for the file, then the content."""
    return bytes([TARGETS.index((form, name))]) + content


def seeds() -> list[bytes]:
    """Whole files, for a fuzzer to start from."""
    files = [case(form, name, FORMS[form][name]) for form, name in TARGETS if form != "zip"]
    return [*files, *(case("zip", "set.zip", zipped(files)) for files in FORMS.values())]


def zipped(files: dict[str, bytes]) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return sink.getvalue()


def check(data: bytes) -> Tables | str:
    """Read a set with one of its files replaced; gives the tables, or the message.

    Raises:
        AssertionError: tables that break the schema, rows that were lost or changed, or a message
            that is none. Anything else that a reader raises comes through.
    """
    form, name = TARGETS[(data[0] if data else 0) % len(TARGETS)]
    content = data[1:]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        if form == "zip":
            place = place / name
            place.write_bytes(content)
        else:
            for other, whole in (FORMS[form] | {name: content}).items():
                (place / other).write_bytes(whole)
        try:
            tables = load_dataset("fuzzed", place)
        except InputError as error:
            message = str(error)
            assert "expected" in message or "Get the original" in message, message
            assert len(message) < LONGEST_MESSAGE + len(folder), message
            return message
    check_schema(tables)
    if form != "zip":
        check_rows(tables, form, name, content)
    Features.fit(tables)
    return tables


def check_schema(tables: Tables) -> None:
    """What the documentation of `Tables` promises, checked without pandera."""
    users, movies, ratings = tables.users, tables.movies, tables.ratings
    for frame, key in ((users, "user_id"), (movies, "movie_id")):
        ids = frame[key].to_numpy()
        assert ids.dtype == np.int64
        assert len(ids)
        assert (np.diff(ids) > 0).all()
        assert ids[0] >= 0
        assert ids[-1] < 2**31
    assert ratings["user_id"].isin(users["user_id"]).all()
    assert ratings["movie_id"].isin(movies["movie_id"]).all()
    assert not ratings.duplicated(["user_id", "movie_id"]).any()
    stars = ratings["rating"].to_numpy()
    assert stars.dtype == np.float32
    assert np.isin(stars, np.arange(0.5, 5.5, 0.5)).all()
    assert (ratings["timestamp"] >= 0).all()
    for title, genres in zip(movies["title"], movies["genres"], strict=True):
        assert title.strip()
        assert not re.search(r"[\x00-\x1f\x7f-\x9f]", title + genres)
    assert movies["year"].dropna().between(0, 9999).all()
    if tables.has_demographics:
        assert users["gender"].isin(["F", "M"]).all()
        assert users["age"].between(0, 130).all()
        assert users["occupation"].between(0, len(tables.occupations) - 1).all()


def check_rows(tables: Tables, form: str, name: str, content: bytes) -> None:
    """Every row of the file is in the table, with the same numbers, by a plain second reading."""
    if name not in COUNTED:
        return
    frame = getattr(tables, COUNTED[name])
    rows = plain_rows(form, name, content)
    assert len(frame) == len(rows), f"{len(rows)} rows in the file, {len(frame)} in the table"
    if COUNTED[name] != "ratings":
        assert sorted(int(row[0]) for row in rows) == frame.iloc[:, 0].tolist()
        return
    for row, read in zip(rows, frame.itertuples(index=False), strict=True):
        assert [int(row[0]), int(row[1]), int(row[3])] == [read[0], read[1], read[3]]
        assert math.isclose(float(row[2]), read[2])


def plain_rows(form: str, name: str, content: bytes) -> list[list[str]]:
    """The cells of each row, read without any haste."""
    if form == "csv":
        # a column that is not read may hold any bytes; one that is read was refused by now
        text = content.decode("utf-8-sig", "surrogateescape")
        header, *rows = (row for row in csv.reader(io.StringIO(text, newline="")) if row)
        wanted = {
            "movies.csv": ["movieId", "title", "genres"],
            "ratings.csv": ["userId", "movieId", "rating", "timestamp"],
        }[name]
        return [[row[header.index(column)] for column in wanted] for row in rows]
    text = content.removeprefix(b"\xef\xbb\xbf").decode("latin-1")
    separator = {"u.data": "\t", "u.user": "|", "u.item": "|"}.get(name, "::")
    lines = re.split(r"\r\n|\n|\r", text)
    return [line.split(separator) for line in lines if line.strip()]
