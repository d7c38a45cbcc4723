"""Which films resemble each other: what is watched together, and a little what films are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

from movierec.data.attributes import ALL, Which, movie_attributes
from movierec.data.features import Features
from movierec.models.watching import Watching
from movierec.vectors import unit_rows

KNOWN = 0.01  # of genres and year where nobody has watched both films
TITLE = 0.02  # of the title


class Resemblance:
    """How alike films are.

    With c the correlation of who watches one film and who the other, all else that they watch
    considered (0 but for `Watching.neighbours`), g the cosine of genres and years, and t that of
    the titles' words, films are alike by c (1 + g) + KNOWN g + TITLE t. So a film of another kind
    and time, which the same people watch because it is famous, counts little.
    """

    def __init__(self, features: Features, watching: Watching) -> None:
        self.watching = watching
        known = movie_attributes(features)
        # what sets genres and year apart from the mean; (movie rows, b)
        self.known = unit_rows(known - known[features.movies.used].mean(axis=0))
        self.titles = title_rows(features)

    def __call__(self, movie_idx: int, others: Which = ALL) -> npt.NDArray[np.float32]:
        """How alike a film and others are, by row, float32 (others,); 0 for nothing in common."""
        watched = np.zeros(len(self.known), np.float32)
        watched[self.watching.neighbours[movie_idx]] = self.watching.correlation[movie_idx]
        known = self.known[others] @ self.known[movie_idx]
        titles = self.titles @ self.titles[movie_idx].toarray()  # of all: quicker than some rows
        return watched[others] * (1 + known) + KNOWN * known + TITLE * titles[others]


def title_rows(features: Features) -> sparse.csr_array:
    """Titles by the weight of their words, (movie rows, words), of length 1: rare ones count more.

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
