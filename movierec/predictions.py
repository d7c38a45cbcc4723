"""Predicted ratings for a CSV file of pairs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from movierec.errors import InputError
from movierec.features import IdVocabulary
from movierec.files import write_whole
from movierec.recommend import Recommender

EXPECTED = "expected a CSV file in UTF-8 with the columns user_id,movie_id"


def predict_file(recommender: Recommender, pairs: Path, out: Path | None = None) -> str | None:
    """Add a column of predicted stars to a CSV file with `user_id` and `movie_id`.

    The column is called `rating`, or `predicted` where the file has a `rating` already. Further
    columns are kept as they are.

    Args:
        recommender: whose predictions.
        pairs: a CSV file in UTF-8 with a header.
        out: where to write; written whole or not at all.

    Returns:
        The CSV text, or None where it was written to `out`.

    Raises:
        InputError: a file that cannot be read or written, a missing or doubled column, a line of
            another length than the header, or an unknown user or film; with the line.
    """
    (header, *rows), lines = _read(pairs)
    columns = []
    vocabularies = recommender.features.users, recommender.features.movies
    for vocabulary in vocabularies:
        place = header.index(f"{vocabulary.kind}_id")
        columns.append(_ids([row[place] for row in rows], lines, vocabulary, pairs))
    name = "predicted" if "rating" in header else "rating"
    stars = recommender.predict(*columns)
    sink = io.StringIO()
    writer = csv.writer(sink, lineterminator="\n")
    writer.writerow([*header, name])
    writer.writerows([*row, f"{star:.6g}"] for row, star in zip(rows, stars, strict=True))
    if out is None:
        return sink.getvalue()
    try:
        write_whole(out, sink.getvalue())
    except OSError as error:
        fault = error.strerror or error
        raise InputError(f"cannot write {out}: {fault}; name another --out") from error
    return None


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
