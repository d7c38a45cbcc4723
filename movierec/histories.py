"""What somebody has rated elsewhere: exports of Letterboxd, IMDb and MovieLens, and plain tables.

A file is text with a line a film, under a line that names its columns: a title, a year, stars, in
any order. Films are matched by title and year, never by an id of another site. What is not sure is
not guessed: it is handed back, with the films that it may be.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from rapidfuzz import fuzz, process

from movierec.data.tables import YEAR
from movierec.data.titles import (
    LONGEST,
    YEARS_APART,
    bare_of_film,
    bare_titles,
    plain_of_film,
    plain_title,
)
from movierec.errors import InputError, one_line

LARGEST = 2**21  # bytes of a file; a line takes some 70
MOST_LINES = 10_000
MOST_COLUMNS = 1_000  # others are not looked at
MOST_COMPARED = 200  # unknown titles that are compared with all films; of those of a year, tenfold
MOST_CANDIDATES = 3  # films that a doubtful line may be
ALIKE = 88.0  # likeness of titles (0 to 100) from which a film may be meant
NO_FILMS = ("series", "episode", "game", "podcast", "music video")  # in IMDb's "Title Type"

COLUMNS = {  # what each site calls its columns, and people theirs; in this order of preference
    "title": ("name", "title", "film", "movie", "标题", "片名", "电影"),
    "year": ("year", "release year", "released", "年份"),
    "stars": ("rating", "your rating", "stars", "score", "my rating", "评分"),
    "kind": ("title type",),
}


class Line(NamedTuple):
    """A film as a file names it."""

    number: int  # of the line in the file, from 1
    title: str  # without its year
    year: int | None  # None if the file does not say
    stars: float  # as they stand in the file


class History(NamedTuple):
    """A file's films among those of the data; of one that stands in it twice, the last counts."""

    ratings: dict[int, float]  # stars by movie id, in the order of the file
    doubtful: list[tuple[Line, list[int]]]  # lines that may be one of a few films, with their ids
    missing: list[Line]  # that are none of the data's films
    skipped: int  # lines without stars, or that are no films


def read_history(
    source: Path | str | bytes, movies: pd.DataFrame, star_values: Sequence[float]
) -> History:
    """Ratings that somebody kept elsewhere.

    Args:
        source: the file, or what it holds.
        movies: the movies table.
        star_values: the stars that the data knows, ascending; a file's are brought to them. A file
            with a number above 5 counts in tenths, as IMDb does.

    Raises:
        InputError: it cannot be read, or a line is wrong, and how.

    Example:
        >>> history = read_history("ratings.csv", rec.tables.movies, rec.star_values)
        >>> me = rec.new_user(history.ratings)
    """
    lines, skipped = _lines(_content(source))
    if any(line.stars > 5 for line in lines):
        lines = [line._replace(stars=line.stars / 2) for line in lines]
    return _matched(lines, movies, star_values, skipped)


def _lines(content: bytes) -> tuple[list[Line], int]:
    """The films that a file names, and how many lines have no stars or are no films."""
    if len(content) > LARGEST:
        raise InputError(f"the file has {len(content):,} bytes; expected at most {LARGEST:,}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"the file is no text in UTF-8 (byte {error.start:,}); export it again, or save it as "
            "CSV in UTF-8. An export that comes as a zip holds ratings.csv: unpack it first"
        ) from error
    if "\0" in text:
        raise InputError("the file is no text; expected a table with titles and stars, as CSV")
    head, _, _ = text.partition("\n")
    separator = max(",;\t", key=head.count)
    # strict: a quote that is not closed would swallow all lines after it
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    lines: list[Line | None] = []
    try:
        places = _places(next(rows, []))
        for row in rows:
            if rows.line_num > MOST_LINES + 1:  # empty ones count: they take their time too
                raise InputError(f"the file has more than {MOST_LINES:,} lines; split it")
            if row:
                lines.append(_line(rows.line_num, row, places))
    except csv.Error as error:
        fault = f"line {rows.line_num} is no line of a table: {one_line(error)}"
        raise InputError(fault) from error
    if not (found := [line for line in lines if line]):
        raise InputError("the file names no film with stars; export it again")
    return found, len(lines) - len(found)


def _content(source: Path | str | bytes) -> bytes:
    if isinstance(source, bytes):
        return source
    path = Path(source)
    try:
        if not path.is_file():  # a pipe would be waited for
            raise InputError(f"there is no file {path}; name the exported table of ratings")
        with path.open("rb") as file:
            return file.read(LARGEST + 1)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error


def _places(head: list[str]) -> dict[str, int]:
    """Where each column of `COLUMNS` stands."""
    names = [name.strip().casefold() for name in head[:MOST_COLUMNS]]
    if names[:3] == ["userid", "movieid", "rating"]:
        raise InputError(
            "this is a data set's ratings.csv, of many people and without titles; expected one's "
            "own ratings, as MovieLens exports them under Your profile"
        )
    places = {
        column: names.index(there[0])
        for column, called in COLUMNS.items()
        if (there := [name for name in called if name in names])
    }
    if missing := [column for column in ("title", "stars") if column not in places]:
        shown = one_line(", ".join(head), 80) or "nothing"
        raise InputError(
            f"the first line has no column for {' and '.join(missing)}; got {shown}; expected an "
            "export of Letterboxd, IMDb or MovieLens, or a table that begins title,year,stars"
        )
    return places


def _line(number: int, row: list[str], places: dict[str, int]) -> Line | None:
    """A row of the file; None where it has no stars or is no film."""

    def cell(column: str) -> str:
        place = places.get(column, len(row))
        return row[place].strip() if place < len(row) else ""

    if any(word in cell("kind").casefold() for word in NO_FILMS):
        return None
    title, stars = cell("title")[:LONGEST].rstrip(), cell("stars").replace(",", ".")
    if not title or not stars:
        return None
    if not re.fullmatch(r"0*(10(\.0*)?|[0-9]?\.[0-9]+|[0-9]\.?)", stars):
        raise InputError(
            f"line {number} gives {one_line(title, 60)!r} the stars {one_line(stars, 20)!r}; "
            "expected a number, 0.5 to 5 or 1 to 10"
        )
    inside = YEAR.search(title)
    told = cell("year") or (inside[1] if inside else "")
    year = int(told) if re.fullmatch("[0-9]{4}", told) else None
    return Line(number, YEAR.sub("", title).strip() or title, year, float(stars))


def _matched(
    lines: list[Line], movies: pd.DataFrame, star_values: Sequence[float], skipped: int
) -> History:
    """Find the films of the data that the lines mean."""
    ids = [int(movie_id) for movie_id in movies["movie_id"]]
    years = [None if pd.isna(year) else int(year) for year in movies["year"]]
    called: dict[str, list[int]] = defaultdict(list)  # rows of the table by plain title
    by_year: dict[int | None, dict[int, str]] = defaultdict(dict)
    for row, title in enumerate(movies["title"]):
        for form in bare_of_film(title):
            called[form].append(row)
        by_year[years[row]][row] = plain_of_film(title)
    found: dict[int, float] = {}
    doubtful: list[tuple[Line, list[int]]] = []
    missing: list[Line] = []
    compared: dict[tuple[str, int | None], list[int]] = {}
    for line in lines:
        same = sorted({row for form in bare_titles(line.title) for row in called.get(form, [])})
        near = [row for row in same if _near(line.year, years[row])]
        exact = [row for row in near if years[row] == line.year]
        sure = exact if len(exact) == 1 else near
        if len(sure) == 1:
            found.pop(ids[sure[0]], None)  # the last counts, and stands where it stood
            found[ids[sure[0]]] = _to_stars(line.stars, star_values)
            continue
        rows, key = sure or same, (plain_title(line.title), line.year)
        most = MOST_COMPARED * (10 if line.year else 1)
        if not rows and key not in compared and len(compared) < most:
            compared[key] = _alike(*key, by_year)
        if rows := rows or compared.get(key, []):
            doubtful.append((line, [ids[row] for row in rows[:MOST_CANDIDATES]]))
        else:
            missing.append(line)
    return History(found, doubtful, missing, skipped)


def _near(first: int | None, second: int | None) -> bool:
    """Whether two years may be the same film's; one that is not known may be any."""
    return first is None or second is None or abs(first - second) <= YEARS_APART


def _alike(title: str, year: int | None, by_year: dict[int | None, dict[int, str]]) -> list[int]:
    """Rows of films of about the year with nearly the title, or whose titles begin with it."""
    span = range(year - YEARS_APART, year + YEARS_APART + 1) if year is not None else [*by_year]
    near = {row: other for each in span for row, other in by_year.get(each, {}).items()}
    begun = [row for row, other in near.items() if other.startswith(f"{title} ")]
    alike = fuzz.token_sort_ratio
    best = process.extract(title, near, scorer=alike, score_cutoff=ALIKE, limit=MOST_CANDIDATES)
    return list(dict.fromkeys([*begun, *(row for _, _, row in best)]))


def _to_stars(stars: float, star_values: Sequence[float]) -> float:
    """The data's stars that come nearest; of two, the more."""
    return min(star_values, key=lambda value: (abs(value - stars), -value))
