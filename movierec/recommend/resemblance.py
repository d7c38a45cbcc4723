"""Which films resemble each other: what is watched together, and a little what films are."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from movierec.data.attributes import movie_attributes
from movierec.data.features import Features
from movierec.models.watching import Watching
from movierec.vectors import Vectors, unit_rows

KNOWN = 0.03  # of genres and year, and of the title, beside what is watched together


def near_vectors(features: Features, watching: Watching) -> Vectors:
    """Films' vectors as they are compared: what is watched together, and genres and year.

    Returns:
        float32 (movie rows, r + attributes), of length 1, or less for rare films.
    """
    known = movie_attributes(features)
    known = unit_rows(known - known[features.movies.used].mean(axis=0))
    return np.concatenate([watching.near, np.sqrt(KNOWN) * known], axis=1)


def title_rows(features: Features) -> sparse.csr_array:
    """Titles by the weight of their words: rare words count more.

    Returns:
        (movie rows, words), rows of length 1, or 0 without a word.

    Reference:
        Sparck Jones (1972), A Statistical Interpretation of Term Specificity.
    """
    words = features.movie_fields["title"]
    rows, slots = np.nonzero(words)
    shape = (len(words), len(features.words))
    counts = sparse.csr_array((np.ones(len(rows), np.float32), (rows, words[rows, slots])), shape)
    films = np.maximum(np.bincount(counts.indices, minlength=shape[1]), 1)
    weighed = counts @ sparse.diags_array(np.log(len(features.movies.used) / films))
    length = np.sqrt((weighed**2).sum(axis=1))
    return (sparse.diags_array(1 / np.where(length > 0, length, 1)) @ weighed).tocsr()
