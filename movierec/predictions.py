"""Predicted ratings for a CSV file of pairs."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pandas as pd

from movierec.errors import InputError
from movierec.recommend import Recommender

COLUMNS = ("user_id", "movie_id")


def predict_file(recommender: Recommender, pairs: Path, out: Path | None = None) -> str | None:
    """Add a column `rating` to a CSV file with `user_id` and `movie_id`.

    Args:
        recommender: whose predictions.
        pairs: a CSV file in UTF-8 with a header; further columns are kept as they are.
        out: where to write; written whole or not at all.

    Returns:
        The CSV text, or None where it was written to `out`.

    Raises:
        InputError: a file that cannot be read or written, a missing column, an id that is no whole
            number, or an unknown user or film; with the line.
    """
    expected = "expected a CSV file in UTF-8 with the columns user_id,movie_id"
    try:
        frame = pd.read_csv(pairs, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except OSError as error:
        raise InputError(f"cannot read {pairs}: {error.strerror}; {expected}") from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError(f"{pairs} cannot be read ({error}); {expected}") from error
    if missing := [column for column in COLUMNS if column not in frame.columns]:
        found = ",".join(frame.columns)
        raise InputError(f"{pairs}, line 1: got {found!r}, no {missing[0]}; {expected}")
    vocabularies = (recommender.features.users, recommender.features.movies)
    for column, vocabulary in zip(COLUMNS, vocabularies, strict=True):
        known = set(vocabulary.ids[vocabulary.used].astype(str))
        stray = ~frame[column].str.strip().isin(known).to_numpy()
        if stray.any():
            row = int(np.argmax(stray))
            raise InputError(
                f"{pairs}, line {row + 2}: got {column} {frame[column].iloc[row]!r}; expected the "
                f"id of one of the {len(known)} {vocabulary.kind}s of the run "
                f"({stray.sum()} such lines)"
            )
    ids = [frame[column].astype("int64").to_numpy() for column in COLUMNS]
    frame["rating"] = recommender.predict(*ids) if len(frame) else []
    if out is None:
        sink = io.StringIO()
        frame.to_csv(sink, index=False, lineterminator="\n")
        return sink.getvalue()
    partial = out.with_name(f".{out.name}.partial")
    try:
        frame.to_csv(partial, index=False, lineterminator="\n")
        os.replace(partial, out)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InputError(f"cannot write {out}: {error.strerror}; name another --out") from error
    return None
