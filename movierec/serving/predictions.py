"""Predicted ratings for a CSV file of pairs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from movierec.data.features import IdVocabulary
from movierec.errors import InputError
from movierec.recommend.recommender import Recommender

EXPECTED = "expected a CSV file in UTF-8 with the columns user_id,movie_id"


def predict_file(recommender: Recommender, pairs: Path) -> list[list[Any]]:
    """Read a CSV file with `user_id` and `movie_id`, and add a column of predicted stars.

    The column is called `rating`, or `predicted` where the file has a `rating` already. Further
    columns are kept as they are.

    Args:
        recommender: whose predictions.
        pairs: a CSV file in UTF-8 with a header.

    Returns:
        The header, then the rows: the cells as they were, and the predicted stars.

    Raises:
        InputError: a file that cannot be read, a missing or doubled column, a line of another
            length than the header, or an unknown user or film; with the line.
    """
    (header, *rows), lines = _read(pairs)
    ids = []
    for vocabulary in (recommender.features.users, recommender.features.movies):
        place = header.index(f"{vocabulary.kind}_id")
        ids.append(_ids([row[place] for row in rows], lines, vocabulary, pairs))
    stars = recommender.predict(*ids).astype(float).round(5).tolist()
    added = "predicted" if "rating" in header else "rating"
    return [[*header, added], *([*row, star] for row, star in zip(rows, stars, strict=True))]


def as_csv(*rows: Sequence[Any]) -> str:
    """Rows as CSV text."""
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(rows)
    return sink.getvalue()


def _read(pairs: Path) -> tuple[list[list[str]], list[int]]:
    """The rows of the file, the header first, and the line that each further row ends on."""
    try:
        with pairs.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [cell.strip() for cell in next(reader, [])]
            _check_header(header, pairs)
            numbered = list(_rows(reader, len(header), pairs))
    except OSError as error:
        raise InputError(f"cannot read {pairs}: {error.strerror or error}; {EXPECTED}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{pairs} cannot be read ({error}); {EXPECTED}") from error
    return [header, *(row for row, _ in numbered)], [line for _, line in numbered]


def _rows(reader, width: int, pairs: Path) -> Iterator[tuple[list[str], int]]:  # type: ignore[no-untyped-def]  # csv.reader has no public type
    for row in reader:
        if row and len(row) != width:
            shown = ",".join(row)
            raise InputError(
                f"{pairs}, line {reader.line_num}: got {shown!r}, {len(row)} fields; expected "
                f"{width}, as the header has"
            )
        if row:
            yield row, reader.line_num


def _check_header(header: list[str], pairs: Path) -> None:
    for name in ("user_id", "movie_id"):
        if name not in header:
            found = ",".join(header)
            raise InputError(f"{pairs}, line 1: got {found!r}, no {name}; {EXPECTED}")
    doubled = [name for name in header if header.count(name) > 1]
    if doubled:
        raise InputError(f"{pairs}, line 1: the column {doubled[0]!r} is there twice; {EXPECTED}")
    if {"rating", "predicted"} <= set(header):
        raise InputError(
            f"{pairs}, line 1: has both rating and predicted; remove one, so that the prediction "
            "has a name of its own"
        )


def _ids(cells: list[str], lines: list[int], vocabulary: IdVocabulary, pairs: Path) -> list[int]:
    known = {str(number): int(number) for number in vocabulary.ids[vocabulary.used]}
    stray = [line for cell, line in zip(cells, lines, strict=True) if cell.strip() not in known]
    if stray:
        cell = cells[lines.index(stray[0])]
        raise InputError(
            f"{pairs}, line {stray[0]}: got {vocabulary.kind}_id {cell!r}; expected the id of one "
            f"of the {len(known)} {vocabulary.kind}s of the run ({len(stray)} such lines)"
        )
    return [known[cell.strip()] for cell in cells]
