"""Predicted ratings for a CSV file of pairs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from movierec.data.readers import complain_of_row, read_csv
from movierec.data.sources import one_file
from movierec.recommend.recommender import Recommender


def predict_file(recommender: Recommender, pairs: Path, std: bool = False) -> pd.DataFrame:
    """Read a CSV file with `user_id` and `movie_id`, and add the predicted stars to five places.

    They are the column `rating`, or where the file has a `rating` already `predicted`, made anew
    where it has that too. With `std` also the standard deviations of ratings about these.

    Raises:
        InputError: a file or a line that cannot be read, or an unknown user or film.
    """
    source, ids = one_file(pairs), {"user_id": pa.int64(), "movie_id": pa.int64()}
    frame = read_csv(source, pairs.name, ids, others=True)
    for known in (recommender.features.users, recommender.features.movies):
        stray = ~np.isin(frame[f"{known.kind}_id"], known.ids[known.used])
        if stray.any():
            expected = f"a {known.kind}_id of the run's {len(known.used):,} {known.kind}s"
            complain_of_row(source, pairs.name, int(np.argmax(stray)), expected)
    found = recommender.predict(frame["user_id"], frame["movie_id"], return_std=True)
    names = ("predicted" if "rating" in frame else "rating", "std")[: 1 + std]
    return frame.assign(**{k: v.astype(float).round(5) for k, v in zip(names, found, strict=False)})
