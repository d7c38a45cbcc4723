"""Which films to ask somebody about, and how well they are known; by row number.

A question is worth what its answer teaches, times the chance that there is one. With S the
covariance of the person's vector after what they have said (see `newcomers`), f the film asked
about, and the films g weighed by w for how likely the person is to meet them, the answer lowers the
summed variance of the predicted ratings, whatever it is, by

    sum over g of w_g (g' S f)^2 / (f' S f + noise)

The chance that they know a film is its share among the people of the data, each weighed by how well
the films that they rated agree with the person's "rated" and "don't know it". Films are chosen one
after the other, each as if those before it were answered as far as they are likely to be.

Reference:
    Yu, Bi and Tresp (2006), Active Learning via Transductive Experimental Design, section 3;
    Rubens, Elahi, Sugiyama and Kaplan (2015), Active Learning in Recommender Systems, section 24.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from movierec.models.newcomers import Newcomers, left_to_learn
from movierec.recommend.recommender import Recommender
from movierec.vectors import Vectors, top_k

AGREE = 0.7  # chance that somebody like the person knows what they know, and not what not
MOST_COMPARED = 2_000  # people of the data that somebody is compared with
MET = 400  # films that are most likely to be met: asked about are some of them

Indices = npt.NDArray[np.integer]


class Asking(NamedTuple):
    """What questions are chosen with; the same for everybody."""

    newcomers: Newcomers  # the model of new users
    films: Vectors  # (movie rows, d + q + 2), as in `Model`
    is_film: npt.NDArray[np.bool_]  # (movie rows,), False for a row that is no film
    known: sparse.csr_array  # (people, movie rows), 1 where somebody of the data rated a film


class Interview(NamedTuple):
    """How it stands with somebody who is asked."""

    ask: npt.NDArray[np.int64]  # (k,) rows of films, the most telling first; fewer where few are
    # share of the variance of their predicted stars that their ratings have taken away, of films
    # that they are likely to meet; 0 to 1
    known: float
    adds: npt.NDArray[np.float64]  # (k,) what a rating of each of `ask` would add to `known`


def asking(rec: Recommender) -> Asking:
    """What does not depend on who is asked; of many people, every second, third, ... one."""
    used = rec.features.users.used
    known = rec.ratings[used[:: max(-(-len(used) // MOST_COMPARED), 1)]].astype(np.float64)
    known.data[:] = 1
    return Asking(rec.model.newcomers, rec.model.films, rec.is_film, known)


def known_chance(
    asking: Asking, rated: Indices, unknown: Indices | Sequence[int]
) -> npt.NDArray[np.float64]:
    """How likely somebody is to know each film.

    Args:
        asking: whom they are compared with.
        rated, unknown: rows of the films that they know, and do not know.

    Returns:
        (movie rows,) between 0 and 1.
    """
    told = np.zeros(len(asking.films))
    odds = np.log(AGREE / (1 - AGREE))
    told[rated] = odds
    told[np.asarray(unknown, np.int64)] = -odds
    agreement = asking.known @ told
    weight = np.exp(agreement - agreement.max())
    return asking.known.T @ (weight / weight.sum())


def interview(
    asking: Asking,
    rated: Indices,
    unknown: Indices | Sequence[int] = (),
    k: int = 1,
    shown: Sequence[int] | Indices = (),
) -> Interview:
    """The films whose stars would teach most about somebody, and how well they are known.

    Args:
        asking: from `asking`.
        rated, unknown: rows of the films that they rated, and that they say they don't know.
        k: how many films.
        shown: rows of films that are asked about already, and stay so.
    """
    noise, before = float(asking.newcomers.noise[0]), asking.newcomers.covariance[0]
    chance = known_chance(asking, rated, unknown)
    told = np.concatenate([rated, unknown, shown]).astype(np.int64)
    likely = top_k(np.where(asking.is_film, chance, -np.inf)[None], MET + len(told))[0]
    likely = likely[likely >= 0]
    vectors = asking.films[:, : len(before)]  # (movie rows, d)
    met, odds = vectors[likely[:MET]], chance[likely[:MET]]  # (m, d), (m,)
    weight = (odds / max(odds.sum(), 1e-12)).astype(np.float32)
    weighed = (met * weight[:, None]).T @ met  # (d, d)
    covariance = left_to_learn(asking.newcomers, asking.films, rated).astype(np.float32)
    of_none = max(float(np.sum(before * weighed)), 1e-12)  # variance that there is without ratings
    known = min(max(1 - float(np.sum(covariance * weighed)) / of_none, 0.0), 1.0)

    for film in shown:  # as if it were answered as far as it is likely to be
        own = covariance @ vectors[film]
        share = np.float32(chance[film] / (vectors[film] @ own + noise))
        covariance -= share * np.outer(own, own)
    candidates = likely[~np.isin(likely, told)][:MET]
    some, odds = vectors[candidates], chance[candidates]  # (c, d), (c,)
    spread = some @ covariance  # (c, d)
    weighty = spread @ weighed
    chosen: list[int] = []
    adds: list[float] = []
    while len(chosen) < min(k, len(candidates)):
        taught = np.einsum("nd,nd->n", weighty, spread)
        taught /= np.einsum("nd,nd->n", spread, some) + noise
        worth = odds * taught
        worth[chosen] = -np.inf
        place = int(np.argmax(worth))
        chosen.append(place)
        adds.append(min(float(taught[place]) / of_none, 1 - known))
        # the same for the products alone
        own = spread[place].copy()
        share = np.float32(odds[place] / (some[place] @ own + noise)) * (some @ own)
        spread -= np.outer(share, own)
        weighty -= np.outer(share, own @ weighed)
    return Interview(candidates[chosen].astype(np.int64), known, np.array(adds))
