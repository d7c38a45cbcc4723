"""Read every MovieLens form, and a user's own tables in these forms.

Every form ends in the same three tables with the same schema, `Tables(users, movies, ratings)`:

| form | files | encoding | demographics |
| --- | --- | --- | --- |
| ML-1M | `users.dat`, `movies.dat`, `ratings.dat`, separator `::` | latin-1 | yes |
| ML-100K | `u.user`, `u.item`, `u.genre`, `u.occupation`, `u.data` | latin-1 | yes |
| CSV sets | `movies.csv`, `ratings.csv`, and `links.csv` if it is there | UTF-8 | no |

A data set is read from a folder or straight from its zip: nothing is ever unpacked to disk.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import compress, islice
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv

from movierec.data.sources import FORMS, Source, form_of, opened
from movierec.data.tables import OCCUPATIONS_1M, RowError, Tables, validate_tables
from movierec.errors import InputError, one_line

HEADER = 2**16  # bytes within which the first line of a CSV file must end
ID, CODE = "[0-9]{1,10}", "[0-9]{1,3}"  # patterns of cells that are numbers
_NO_TEXT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")  # CONTROL but the tab
_RATINGS = {
    "user_id": pa.int64(),
    "movie_id": pa.int64(),
    "rating": pa.float32(),
    "timestamp": pa.int64(),
}


def read(path: Path, name: str) -> Tables:
    """Read a folder or zip in whichever form its files have."""
    with opened(path, name) as source:
        form = form_of(source)
        tables = {"ml-1m": _read_1m, "ml-100k": _read_100k, "csv": _read_csv}[form](source, name)
        try:
            return validate_tables(tables)
        except RowError as error:
            files = FORMS[form]
            file = files.get(error.table, files["ratings"])  # where a CSV set's users come from
            complain_of_row(source, file, error.row, error.expected)


def _read_1m(source: Source, name: str) -> Tables:
    user = {"user_id": ID, "gender": "[FM]", "age": CODE, "occupation": CODE, "zip": ".*"}
    movie = {"movie_id": ID, "title": ".+", "genres": ".*"}  # greedy: a title may itself hold "::"
    users = _read_lines(source, "users.dat", "::", user)
    movies = _read_lines(source, "movies.dat", "::", movie)
    return Tables(users, movies, read_ratings(source, "ratings.dat", "::"), name, OCCUPATIONS_1M)


def _read_100k(source: Source, name: str) -> Tables:
    cell = "[^|]*"
    occupations = tuple(line for _, line in _lines(source, "u.occupation"))
    genres = _read_lines(source, "u.genre", "|", {"name": ".+", "number": CODE})["name"].tolist()
    user = {"user_id": ID, "age": CODE, "gender": "[FM]", "occupation": cell, "zip": ".*"}
    users = _read_lines(source, "u.user", "|", user)
    codes = {occupation: code for code, occupation in enumerate(occupations)}
    unknown = ~users["occupation"].isin(codes).to_numpy()
    if unknown.any():
        expected = f"one of the {len(codes)} of u.occupation"
        complain_of_row(source, "u.user", int(np.argmax(unknown)), expected)
    users["occupation"] = users["occupation"].map(codes).astype("int64")
    movie = {"movie_id": ID, "title": cell, "release date": cell, "video release date": cell}
    movie |= {"IMDb URL": cell, f"{len(genres)} genre flags": r"\|".join(["[01]"] * len(genres))}
    movies = _read_lines(source, "u.item", "|", movie)
    listed = ["|".join(compress(genres, map(int, row.split("|")))) for row in movies.iloc[:, -1]]
    movies = movies[["movie_id", "title"]].assign(genres=listed)
    columns = ["user_id", "gender", "age", "occupation", "zip"]
    return Tables(users[columns], movies, read_ratings(source, "u.data", "\t"), name, occupations)


def _read_csv(source: Source, name: str) -> Tables:
    text = {"movieId": pa.int64(), "title": pa.string(), "genres": pa.string()}
    movies = read_csv(source, "movies.csv", text).rename(columns={"movieId": "movie_id"})
    names = ("userId", "movieId", "rating", "timestamp")
    numbers = dict(zip(names, _RATINGS.values(), strict=True))
    ratings = read_csv(source, "ratings.csv", numbers).set_axis(list(_RATINGS), axis=1)
    users = pd.DataFrame({"user_id": np.unique(ratings["user_id"])})
    if "links.csv" in source.names:
        movies = movies.join(_links(source), on="movie_id")
    return Tables(users, movies, ratings, name)


def _links(source: Source) -> pd.DataFrame:
    """The films' numbers at TMDB, by movie id; a film may lack it."""
    types = {"movieId": pa.int64(), "imdbId": pa.string(), "tmdbId": pa.string()}
    links = read_csv(source, "links.csv", types)
    number = links["tmdbId"].str.fullmatch("[0-9]{0,9}")
    for wrong, expected in (
        (~number, "a number of up to nine digits, or none, as tmdbId"),
        (links["movieId"].duplicated(), "one line a film"),
    ):
        if wrong.any():
            complain_of_row(source, "links.csv", int(np.argmax(wrong)), expected)
    numbers = pd.to_numeric(links["tmdbId"].replace("", None)).astype("Int64")
    return pd.DataFrame({"tmdb_id": numbers}).set_index(links["movieId"])


# --- reading with file, line and offending text in every complaint -----------------------------


def _content(source: Source, name: str) -> bytes:
    """A file's bytes without a byte-order mark of UTF-8, not blank."""
    raw = source.read(name).removeprefix(b"\xef\xbb\xbf")
    if not raw or raw.isspace():  # stops at the first character that is none; strip() would copy
        raise InputError(f"{source.where(name)} is empty; expected at least one line")
    return raw


def _split(text: str) -> list[str]:
    r"""Lines that end as the C reader lets them end: by \n, \r\n, or \r alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _lines(source: Source, name: str) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, each with its number: of latin-1, or UTF-8 where all is."""
    raw = _content(source, name)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    for number, line in enumerate(_split(text), start=1):
        if _NO_TEXT.search(line):
            _complain(source, name, number, line, "text in latin-1 or UTF-8 (bad encoding)")
        if line:
            yield number, line


def _records(source: Source, name: str) -> Iterator[tuple[int, str]]:
    """The records of a CSV file, each with the number of the line on which it ends."""
    text = _content(source, name).decode("utf-8", "replace")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        yield from ((reader.line_num, ",".join(cells)) for cells in reader if cells)
    except csv.Error as error:
        line = [*_split(text), ""][reader.line_num - 1]
        _complain(source, name, reader.line_num, line, f"a CSV record ({error})")


def _complain(source: Source, name: str, number: int, line: str, expected: str) -> NoReturn:
    raise InputError(
        f"{source.where(name)}, line {number}: got '{one_line(line, 80)}'; expected {expected}"
    )


def complain_of_row(source: Source, name: str, row: int, expected: str) -> NoReturn:
    """Name the line that has the row-th record, from 0; empty lines and a header do not count."""
    lines = _lines(source, name)
    if name.endswith(".csv"):
        lines, row = _records(source, name), row + 1
    _complain(source, name, *next(islice(lines, row, None), (row + 1, "")), expected)


def _read_lines(
    source: Source, name: str, separator: str, cells: Mapping[str, str]
) -> pd.DataFrame:
    """A small table, a line a row; `cells` are the patterns of its cells by their columns."""
    pattern = re.compile(re.escape(separator).join(f"({cell})" for cell in cells.values()))
    rows = []
    for number, line in _lines(source, name):
        if not (match := pattern.fullmatch(line)):
            _complain(source, name, number, line, separator.join(cells))
        rows.append(match.groups())
    columns = dict(zip(cells, zip(*rows, strict=True), strict=True))
    return pd.DataFrame(
        {
            column: pd.Series(values, dtype=str).astype(
                "int64" if cells[column] in (ID, CODE) else str
            )
            for column, values in columns.items()
        }
    )


def read_ratings(source: Source, name: str, separator: str) -> pd.DataFrame:
    """The large table of the forms without a header."""
    content, expected = _content(source, name), separator.join(_RATINGS).replace("\t", " tab ")
    if separator == "::":  # the C reader takes one byte: one that no text has
        content, separator = content.replace(b"\x1f", b"?").replace(b"::", b"\x1f"), "\x1f"
    return _parsed(source, name, content, separator, _RATINGS, expected)


def read_csv(
    source: Source, name: str, types: Mapping[str, pa.DataType], others: bool = False
) -> pd.DataFrame:
    """The named columns of a CSV file with a header, in UTF-8; with `others`, all of them.

    Raises:
        InputError: a line that is no such row, or a header without these columns.
    """
    raw = _content(source, name)
    expected = f"a CSV file in UTF-8 with the columns {', '.join(types)}"
    first = _split(raw[:HEADER].lstrip(b"\r\n").decode("utf-8", "replace"))[0]
    try:
        header = next(csv.reader([first]), [])
    except csv.Error as error:
        _complain(source, name, 1, first, f"{expected} ({error})")
    if doubled := [c for c in (header if others else types) if header.count(c) > 1]:
        _complain(source, name, 1, first, f"{expected}: {', '.join(doubled)} stands there twice")
    if missing := [column for column in types if column not in header]:
        mend = _mended_header(raw, header, missing)
        _complain(source, name, 1, first, f"{expected}: {', '.join(missing)} missing; {mend}")
    if others:
        types = {column: types.get(column, pa.string()) for column in header}
    expected += ", text with a comma or a quote in quotes"
    table = _parsed(source, name, raw, ",", types, expected)
    if not len(table):
        raise InputError(f"{source.where(name)} has a header alone; expected at least one row")
    return table


def _mended_header(raw: bytes, header: Sequence[str], missing: Sequence[str]) -> str:
    """How to mend a CSV file whose first line lacks columns."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "it is in UTF-16, save it as UTF-8"
    if len(header) == 1 and (other := [mark for mark in ";\t|" if mark in header[0]]):
        return f"its fields stand between {other[0]!r}, save it with commas"
    if list(missing) == ["timestamp"]:
        return "where the times are not known, add the column with 0 in each row"
    return "rename its columns to these"


def _parsed(
    source: Source,
    name: str,
    content: bytes,
    separator: str,
    types: Mapping[str, pa.DataType],
    expected: str,
) -> pd.DataFrame:
    """A table by Arrow's reader, with a header and quotes where commas separate its cells."""
    quotes, names = ('"', None) if separator == "," else (False, list(types))
    # where a cell may hold a line's end, rows are not told apart by line ends alone
    parse = pa.csv.ParseOptions(
        delimiter=separator, quote_char=quotes, newlines_in_values=quotes and b'"' in content
    )
    convert = pa.csv.ConvertOptions(
        column_types=dict(types), include_columns=list(types), null_values=[]
    )
    whole = {"use_threads": False, "block_size": min(len(content) + 1, 2**31 - 1)}
    for options in ({}, whole):  # only in one piece it knows which row it refuses
        reading = pa.csv.ReadOptions(column_names=names, **options)
        try:
            table = pa.csv.read_csv(pa.BufferReader(content), reading, parse, convert)
            return table.to_pandas()
        except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
            fault = str(error)
    said = r"Row #(\d+): (?:CSV conversion error to )?(Expected \d+ columns, got \d+|.*)"
    if found := re.search(said, fault, re.DOTALL):
        row = int(found[1]) - (2 if quotes else 1)
        complain_of_row(source, name, row, f"{expected} ({one_line(found[2], 80)})")
    why = one_line(fault, 200)
    raise InputError(f"{source.where(name)} could not be read ({why}); expected {expected}")
