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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
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
    users = _parse_lines(
        source,
        "users.dat",
        "UserID::Gender::Age::Occupation::Zip-code",
        re.compile(r"([0-9]{1,10})::([FM])::([0-9]{1,3})::([0-9]{1,2})::(.*)"),
        {"user_id": int, "gender": str, "age": int, "occupation": int, "zip": str},
    )
    movies = _parse_lines(
        source,
        "movies.dat",
        "MovieID::Title (Year)::Genre|Genre",
        re.compile(r"([0-9]{1,10})::(.+)::(.*)"),  # greedy: a title may itself hold "::"
        {"movie_id": int, "title": str, "genres": str},
    )
    ratings = read_ratings(source, "ratings.dat", "UserID::MovieID::Rating::Timestamp", "::")
    return Tables(users, movies, ratings, name, OCCUPATIONS_1M)


def _read_100k(source: Source, name: str) -> Tables:
    occupations = tuple(line for _, line in _lines(source, "u.occupation"))
    genres = _parse_lines(
        source,
        "u.genre",
        "name|number",
        re.compile(r"(.+)\|([0-9]{1,3})"),
        {"name": str, "code": int},
    )["name"].tolist()
    users = _parse_lines(
        source,
        "u.user",
        "user id|age|gender|occupation|zip code",
        re.compile(r"([0-9]{1,10})\|([0-9]{1,3})\|([FM])\|([^|]+)\|(.*)"),
        {"user_id": int, "age": int, "gender": str, "occupation": str, "zip": str},
    )
    codes = {occupation: code for code, occupation in enumerate(occupations)}
    unknown = ~users["occupation"].isin(codes).to_numpy()
    if unknown.any():
        expected = f"one of the {len(codes)} of u.occupation"
        complain_of_row(source, "u.user", int(np.argmax(unknown)), expected)
    users["occupation"] = users["occupation"].map(codes).astype("int64")
    flags = r"\|".join("[01]" for _ in genres)
    movies = _parse_lines(
        source,
        "u.item",
        f"movie id|title|release date|video release date|IMDb URL|{len(genres)} genre flags",
        re.compile(rf"([0-9]{{1,10}})\|([^|]*)\|[^|]*\|[^|]*\|[^|]*\|({flags})"),
        {"movie_id": int, "title": str, "genres": str},
    )
    movies["genres"] = [
        "|".join(genre for genre, flag in zip(genres, row.split("|"), strict=True) if flag == "1")
        for row in movies["genres"]
    ]
    ratings = read_ratings(source, "u.data", "user id, movie id, rating, timestamp", "\t")
    columns = ["user_id", "gender", "age", "occupation", "zip"]
    return Tables(users[columns], movies, ratings, name, occupations)


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


def _text(source: Source, name: str) -> str:
    """A file's text: latin-1 as GroupLens writes it, UTF-8 where it has a valid accent in it."""
    raw = _content(source, name)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        text = raw.decode("latin-1")
    if stray := _NO_TEXT.search(text):
        lines = _split(text[: stray.end()])
        line = _split(text)[len(lines) - 1]
        _complain(source, name, len(lines), line, "text in latin-1 or UTF-8 (bad encoding)")
    return text


_NO_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # CONTROL but tabs and line ends


def _split(text: str) -> list[str]:
    r"""Lines that end as the C reader lets them end: by \n, \r\n, or \r alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _lines(source: Source, name: str) -> Iterator[tuple[int, str]]:
    """The lines of a file that are not blank, each with its number."""
    for number, line in enumerate(_split(_text(source, name)), start=1):
        if line.strip():
            yield number, line


def _complain(source: Source, name: str, number: int, line: str, expected: str) -> NoReturn:
    raise InputError(
        f"{source.where(name)}, line {number}: got '{one_line(line, 80)}'; expected {expected}"
    )


def complain_of_row(source: Source, name: str, row: int, expected: str) -> NoReturn:
    """Name the line that has the row-th record, from 0; blank lines and a header do not count."""
    if name.endswith(".csv"):
        records = _csv_records(source, name)
        lines: Iterator[tuple[int, str]] = (
            (n, ",".join(cells)) for n, cells in records if "".join(cells).strip()
        )
        row += 1  # the header
    else:
        lines = _lines(source, name)
    _complain(source, name, *next(islice(lines, row, None)), expected)


def _csv_records(source: Source, name: str) -> Iterator[tuple[int, list[str]]]:
    """Records with the number of the line they end on: a quoted cell may hold a line's end."""
    text = _content(source, name).decode("utf-8", "replace")
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for cells in reader:
            yield reader.line_num, cells
    except csv.Error as error:
        line = (_split(text) + [""])[reader.line_num - 1]
        _complain(source, name, reader.line_num, line, f"a CSV record ({error})")


def _parse_lines(
    source: Source, name: str, expected: str, pattern: re.Pattern[str], columns: Mapping[str, type]
) -> pd.DataFrame:
    """A small table, one line a row, each line checked against a pattern."""
    rows: list[tuple[str, ...]] = []
    for number, line in _lines(source, name):
        match = pattern.fullmatch(line)
        if not match:
            _complain(source, name, number, line, expected)
        rows.append(match.groups())
    if not rows:  # but white space that is no line's end, such as a form feed
        _complain(source, name, 1, "", expected)
    values = zip(*rows, strict=True)
    return pd.DataFrame(
        {
            column: np.array(cells, dtype=np.int64) if kind is int else pd.Series(cells, dtype=str)
            for (column, kind), cells in zip(columns.items(), values, strict=True)
        }
    )


_RATINGS = {
    "user_id": pa.int64(),
    "movie_id": pa.int64(),
    "rating": pa.float32(),
    "timestamp": pa.int64(),
}
_KINDS = {pa.int64(): "whole number", pa.float32(): "number", pa.string(): "text in UTF-8"}


def read_ratings(source: Source, name: str, expected: str, separator: str) -> pd.DataFrame:
    """The large table. A C reader takes one separator byte, so `::` becomes a tab first."""
    plain = _content(source, name)
    tabbed = plain if separator == "\t" else plain.replace(separator.encode(), b"\t")
    try:
        if separator != "\t" and b"\t" in plain:
            raise pa.ArrowInvalid(f"a tab where {separator} was expected")
        table = pa.csv.read_csv(
            pa.BufferReader(tabbed),
            pa.csv.ReadOptions(column_names=list(_RATINGS)),
            pa.csv.ParseOptions(delimiter="\t", quote_char=False),
            _convert_options(_RATINGS),
        )
    except pa.ArrowInvalid as error:
        lines = enumerate(_split(plain.decode("latin-1")), start=1)
        rows = ((number, line.split(separator)) for number, line in lines)
        columns = list(_RATINGS.items())
        _find_bad_row(source, name, rows, separator, expected, columns, str(error))
    return table.to_pandas()


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
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(raw),
            # where a cell may hold a line's end, rows are not told apart by line ends alone
            parse_options=pa.csv.ParseOptions(newlines_in_values=b'"' in raw),
            convert_options=_convert_options(types),
        )
    except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
        records = _csv_records(source, name)
        next(number for number, cells in records if any(cells))  # the header
        columns = [(column, types.get(column, pa.string())) for column in header]
        _find_bad_row(source, name, records, ",", expected, columns, str(error))
    if not table.num_rows:
        raise InputError(f"{source.where(name)} has a header alone; expected at least one row")
    return table.to_pandas()


def _mended_header(raw: bytes, header: Sequence[str], missing: Sequence[str]) -> str:
    """How to mend a CSV file whose first line lacks columns."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "it is in UTF-16, save it as UTF-8"
    if len(header) == 1 and (other := [mark for mark in ";\t|" if mark in header[0]]):
        return f"its fields stand between {other[0]!r}, save it with commas"
    if list(missing) == ["timestamp"]:
        return "where the times are not known, add the column with 0 in each row"
    return "rename its columns to these"


def _convert_options(types: Mapping[str, pa.DataType]) -> pa.csv.ConvertOptions:
    return pa.csv.ConvertOptions(
        column_types=dict(types), include_columns=list(types), null_values=[]
    )


def _find_bad_row(
    source: Source,
    name: str,
    rows: Iterable[tuple[int, Sequence[str]]],
    separator: str,
    expected: str,
    columns: Sequence[tuple[str, pa.DataType]],
    reason: str,
) -> NoReturn:
    """Name the line that the fast reader could not take."""
    for number, cells in rows:
        if not any(cells):
            continue
        line, wanted = separator.join(cells), f"{expected} ({len(columns)} fields)"
        if len(cells) != len(columns):
            mend = ""
            if "\n" in line:
                mend = "; a quote that is opened must be closed"
            elif separator == "," and len(cells) > len(columns):
                mend = "; text with a comma in it stands in quotes"
            _complain(source, name, number, line, f"{wanted}, not {len(cells)}{mend}")
        for (column, kind), cell in zip(columns, cells, strict=True):
            if not _fits(cell, kind):
                fault = f"{column} '{one_line(cell, 40)}' is no {_KINDS[kind]}"
                _complain(source, name, number, line, f"{wanted}; {fault}")
    raise InputError(f"{source.where(name)} could not be read ({reason}); expected {expected}")


def _fits(cell: str, kind: pa.DataType) -> bool:
    if pa.types.is_string(kind):
        return "\ufffd" not in cell
    number = r"-?\d{1,18}" if pa.types.is_integer(kind) else r"-?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
    return re.fullmatch(rf"\s*{number}\s*", cell, re.ASCII) is not None
