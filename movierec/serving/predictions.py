"""Predicted ratings for a CSV file of pairs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
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
    header, rows = _read(pairs)
    ids = []
    for known in (recommender.features.users, recommender.features.movies):
        cells = {line: row[f"{known.kind}_id"] for line, row in rows.items()}
        ids.append(_ids(cells, known, pairs))
    stars = recommender.predict(*ids).astype(float).round(5).tolist()
    added = "predicted" if "rating" in header else "rating"
    rated = ([*row.values(), star] for row, star in zip(rows.values(), stars, strict=True))
    return [[*header, added], *rated]


def as_csv(*rows: Sequence[Any]) -> str:
    """Rows as CSV text."""
    sink = io.StringIO()
    csv.writer(sink, lineterminator="\n").writerows(rows)
    return sink.getvalue()


def _read(pairs: Path) -> tuple[list[str], dict[int, dict[str, str]]]:
    """The header of the file, and its rows by the line that each ends on."""
    rows = {}
    try:
        with pairs.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = [cell.strip() for cell in next(reader, [])]
            _check_header(header, pairs)
            for row in filter(None, reader):
                if len(row) != len(header):
                    raise InputError(
                        f"{pairs}, line {reader.line_num}: got {','.join(row)!r}, {len(row)} "
                        f"fields; expected {len(header)}, as the header has"
                    )
                rows[reader.line_num] = dict(zip(header, row, strict=True))
    except OSError as error:
        raise InputError(f"cannot read {pairs}: {error.strerror or error}; {EXPECTED}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{pairs} cannot be read ({error}); {EXPECTED}") from error
    return header, rows


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


def _ids(cells: dict[int, str], vocabulary: IdVocabulary, pairs: Path) -> list[int]:
    """The ids in a column, whose cells are known by their lines."""
    known = {str(number): int(number) for number in vocabulary.ids[vocabulary.used]}
    if stray := {line: cell for line, cell in cells.items() if cell.strip() not in known}:
        line, cell = next(iter(stray.items()))
        raise InputError(
            f"{pairs}, line {line}: got {vocabulary.kind}_id {cell!r}; expected the id of one of "
            f"the {len(known)} {vocabulary.kind}s of the run ({len(stray)} such lines)"
        )
    return [known[cell.strip()] for cell in cells.values()]
