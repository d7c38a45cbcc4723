"""From scores to a list: the best, a draw among the best, or a varied choice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from movierec.errors import InputError
from movierec.vectors import top_k

POOL = 5  # a draw chooses among this many times k films
VARIED_POOL = 20  # a varied choice likewise
SPREADS = 6.0  # of the scores that a likeness of 1 counts

Scores = npt.NDArray[np.floating]
Chosen = npt.NDArray[np.int64]


class Choice(TypedDict, total=False):
    """How films are chosen among the best, as in `Recommender.for_user`."""

    temperature: float
    seed: int | None
    variety: float
    among: npt.ArrayLike | None


def choose(
    scores: Scores,
    k: int = 10,
    temperature: float = 0.0,
    seed: int | None = None,
    variety: float = 0.0,
    likeness: Callable[[int, Chosen], Scores] | None = None,
) -> Chosen:
    """Row numbers of k films, best first.

    Args:
        scores: (films,), higher is better; -inf marks what may not be chosen.
        k: how many; fewer come back where fewer may be chosen.
        temperature, seed, variety: as in `Recommender.for_user`.
        likeness: how alike a film and each of others are, by row numbers, (n,); needed for variety.

    Reference:
        Kool, van Hoof and Welling (2019), Stochastic Beams and Where to Find Them, section 2.2 (a
        draw without repeats); Carbonell and Goldstein (1998), The Use of MMR (variety).
    """
    check_choice(k, temperature, seed, variety)
    pool = top_k(scores[None], k * (VARIED_POOL if variety else POOL if temperature else 1))[0]
    pool = pool[pool >= 0]
    if not len(pool) or not (temperature or variety):
        return pool
    values = scores[pool].astype(np.float64)
    # in units of the pool's spread, one temperature and one variety fit scores of all kinds
    values /= max(float(np.std(values)), 1e-6)
    if temperature:
        # the largest of scores with Gumbel noise are a draw without repeats from their softmax
        temperature = max(temperature, 1e-6)  # far below, the quotient is no number
        values = values / temperature + np.random.default_rng(seed).gumbel(size=len(pool))
        values /= max(float(np.std(values)), 1e-6)
    if not variety:
        return pool[np.sort(np.argsort(-values)[:k])]
    assert likeness is not None
    chosen: list[int] = []  # each the best of what is left less its likeness to those before it
    alike = np.zeros(len(pool))
    for _ in range(min(k, len(pool))):
        left = (1 - variety) * values - variety * SPREADS * alike
        left[chosen] = -np.inf
        chosen.append(int(np.argmax(left)))
        alike = np.maximum(alike, likeness(pool[chosen[-1]], pool))
    return pool[chosen]


def check_choice(
    k: int, temperature: float = 0.0, seed: int | None = None, variety: float = 0.0
) -> None:
    """Refuse settings out of range."""
    if not isinstance(k, int | np.integer) or k < 1:
        raise InputError(f"got k = {k!r}; expected a whole number of films, 1 or more")
    if not 0 <= temperature < np.inf:
        raise InputError(f"got temperature {temperature}; expected 0 (the plain best) or more")
    if seed is not None and seed < 0:
        raise InputError(f"got seed {seed}; expected 0 or more, or none")
    if not 0 <= variety <= 1:
        raise InputError(f"got variety {variety}; expected 0 (the plain best) to 1")
