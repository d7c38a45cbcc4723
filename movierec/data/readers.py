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
LONGEST_LIST = 2**20  # bytes of what genres, or occupations, there are
_NO_TEXT = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")  # CONTROL but the tab
_RATINGS = dict.fromkeys(("user_id", "movie_id", "rating", "timestamp"), pa.int64())
_RATINGS["rating"] = pa.float32()
_USERS = {"user_id": pa.int64(), "gender": pa.string(), "age": pa.int64()}
_MOVIES = {"movie_id": pa.int64(), "title": pa.string()}


def read(path: Path, name: str) -> Tables:
    """Read a folder or zip in whichever form its files have."""
    with opened(path, name) as source:
        form = form_of(source)
        tables = {"ml-1m": _read_1m, "ml-100k": _read_100k, "csv": _read_csv}[form](source, name)
        try:
            return validate_tables(tables)
        except RowError as error:
            complain_of_row(source, FORMS[form][error.table], error.row, error.expected)


def _read_1m(source: Source, name: str) -> Tables:
    users = _USERS | {"occupation": pa.int64(), "zip": pa.string()}
    return Tables(
        read_rows(source, "users.dat", "::", users),
        read_rows(source, "movies.dat", "::", _MOVIES | {"genres": pa.string()}, free="title"),
        read_rows(source, "ratings.dat", "::"),
        name,
        OCCUPATIONS_1M,
    )


def _read_100k(source: Source, name: str) -> Tables:
    for few in ("u.genre", "u.occupation"):
        if len(_content(source, few)) > LONGEST_LIST:
            raise InputError(f"{source.where(few)} is too long; expected {LONGEST_LIST:,} bytes")
    occupations = tuple(line for _, line in _lines(source, "u.occupation") if line.strip())
    numbers = {"name": pa.string(), "number": pa.int64()}
    genres = read_rows(source, "u.genre", "|", numbers, free="name")["name"].unique().tolist()
    columns = ["user_id", "age", "gender", "occupation", "zip"]
    users = read_rows(source, "u.user", "|", {c: _USERS.get(c, pa.string()) for c in columns})
    codes = {occupation: code for code, occupation in enumerate(occupations)}
    unknown = ~users["occupation"].isin(codes).to_numpy()
    if unknown.any():
        expected = f"one of the {len(codes)} of u.occupation"
        complain_of_row(source, "u.user", int(np.argmax(unknown)), expected)
    users["occupation"] = users["occupation"].map(codes).astype("int64")
    unused = dict.fromkeys(("release date", "video release date", "IMDb URL"), pa.string())
    flags = {f"{genre} 0 or 1": pa.bool_() for genre in genres}
    movies = read_rows(source, "u.item", "|", _MOVIES | unused | flags)
    listed = ["|".join(compress(genres, row)) for row in movies[list(flags)].to_numpy()]
    movies = movies[list(_MOVIES)].assign(genres=listed)
    columns = [*_USERS, "occupation", "zip"]
    return Tables(users[columns], movies, read_rows(source, "u.data", "\t"), name, occupations)


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


def _text(source: Source, name: str) -> str:
    """A file's text: latin-1 as GroupLens writes it, or UTF-8 where all of it is."""
    raw = _content(source, name)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _lines(source: Source, name: str) -> Iterator[tuple[int, str]]:
    """The lines that are not empty, each with its number."""
    for number, line in enumerate(_split(_text(source, name)), start=1):
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


def read_rows(
    source: Source,
    name: str,
    separator: str,
    types: Mapping[str, pa.DataType] = _RATINGS,
    free: str = "",
) -> pd.DataFrame:
    """A table without a header and without quotes, such as ratings: a line a row.

    One column, the last or `free`, may itself hold the separator: it has all that the others leave.
    """
    # Arrow takes one byte as separator: one that no text has
    if types is _RATINGS:  # which are too many to go through, and numbers, as what is stray is not
        text = _text(source, name).replace("\x1f", "?").replace(separator, "\x1f")
    else:
        before = list(types).index(free) if free else len(types) - 1
        halves = (line.split(separator, before) for _, line in _lines(source, name))
        after = len(types) - 1 - before
        text = "\n".join("\x1f".join(h[:-1] + h[-1].rsplit(separator, after)) for h in halves)
    expected = one_line(separator.join(types), 300)
    return _parsed(source, name, text.encode(), "\x1f", types, list(types), expected)


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
    header = next(csv.reader([first]), [])
    if doubled := [c for c in (header if others else types) if header.count(c) > 1]:
        _complain(source, name, 1, first, f"{expected}: {', '.join(doubled)} stands there twice")
    if missing := [column for column in types if column not in header]:
        mend = _mended_header(raw, header, missing)
        _complain(source, name, 1, first, f"{expected}: {', '.join(missing)} missing; {mend}")
    if others:
        types = {column: types.get(column, pa.string()) for column in header}
    expected += ", text with a comma or a quote in quotes, which have to be closed"
    table = _parsed(source, name, raw, ",", types, header, expected)
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
    columns: Sequence[str],
    expected: str,
) -> pd.DataFrame:
    """A table by Arrow's reader, with a header and quotes where commas separate its cells."""
    quotes, names = ('"', None) if separator == "," else (False, columns)
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
    said = (
        r"(?:#(\d+): )?Row #(\d+): (?:CSV conversion error to )?(Expected \d+ columns, got \d+|.*)"
    )
    if found := re.search(said, fault, re.DOTALL):
        field, row = columns[int(found[1])] + ", " if found[1] else "", int(found[2])
        what = f"{expected} ({one_line(field + found[3], 80)})"
        complain_of_row(source, name, row - (2 if quotes else 1), what)
    why = one_line(fault, 200)
    raise InputError(f"{source.where(name)} could not be read ({why}); expected {expected}")
