"""From scores to a list."""

from __future__ import annotations

import numpy as np
import pytest

from movierec.errors import InputError
from movierec.recommend.choosing import POOL, choose
from movierec.vectors import unit_rows

SCORES = np.array([3, -np.inf, 5, 4, 1, 2], dtype=np.float32)


def test_plain_choice_is_the_best_and_leaves_out_what_may_not_be_chosen():
    assert choose(SCORES, 3).tolist() == [2, 3, 0]
    assert choose(SCORES, 10).tolist() == [2, 3, 0, 5, 4]


def test_draw_is_repeatable_and_stays_within_the_pool():
    scores = np.arange(100, dtype=np.float32)
    first, again = (choose(scores, 4, temperature=2.0, seed=1) for _ in range(2))
    assert first.tolist() == again.tolist()
    assert len(set(first)) == 4
    drawn = {int(film) for seed in range(50) for film in choose(scores, 4, 2.0, seed)}
    assert min(drawn) >= 100 - 4 * POOL
    assert len(drawn) > 10


def test_variety_spreads_a_list_over_what_is_unlike():
    """Ten films of each of three kinds, the first kind better than all others."""
    kind = np.repeat(np.arange(3), 10)
    scores = (10 - 3 * kind + np.tile(np.linspace(1, 0, 10), 3)).astype(np.float32)
    units = unit_rows(np.eye(3, dtype=np.float32)[kind])
    assert set(kind[choose(scores, 5)]) == {0}
    varied = choose(scores, 5, variety=0.8, unit_vectors=units)
    assert set(kind[varied]) == {0, 1, 2}
    assert varied[0] == choose(scores, 1)[0]  # the best comes first all the same
    assert len(set(varied.tolist())) == 5


@pytest.mark.parametrize("variety", [0.0, 0.5, 1.0])
def test_no_film_is_chosen_twice(variety):
    units = unit_rows(np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32))
    films = choose(np.arange(60, dtype=np.float32), 8, variety=variety, unit_vectors=units)
    assert len(set(films.tolist())) == 8


def test_variety_goes_with_a_draw():
    scores = np.arange(60, dtype=np.float32)
    units = unit_rows(np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32))
    first, again = (choose(scores, 6, 1.0, 3, 0.5, units) for _ in range(2))
    assert first.tolist() == again.tolist() != choose(scores, 6, 1.0, 4, 0.5, units).tolist()


@pytest.mark.parametrize("settings", [{}, {"temperature": 1.0}, {"variety": 0.5}])
def test_where_nothing_may_be_chosen_nothing_is(settings):
    units = np.eye(3, dtype=np.float32)
    assert choose(np.full(3, -np.inf), 2, unit_vectors=units, **settings).tolist() == []


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 0}, "got k = 0"),
        ({"k": 2.5}, "got k = 2.5"),
        ({"temperature": -1.0}, "got temperature -1.0"),
        ({"temperature": float("nan")}, "got temperature nan"),
        ({"seed": -1}, "got seed -1"),
        ({"variety": 1.5}, "got variety 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        choose(SCORES, **settings)
