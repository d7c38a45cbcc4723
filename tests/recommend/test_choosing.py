"""From scores to a list."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from movierec.errors import InputError
from movierec.recommend.choosing import POOL, choose
from movierec.vectors import unit_rows

SCORES = np.array([3, -np.inf, 5, 4, 1, 2], dtype=np.float32)


def by(units: np.ndarray) -> Callable[[int, np.ndarray], np.ndarray]:
    """Likeness as the product of vectors."""
    return lambda film, others: units[others] @ units[film]


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
    varied = choose(scores, 5, variety=0.8, likeness=by(units))
    assert set(kind[varied]) == {0, 1, 2}
    assert varied[0] == choose(scores, 1)[0]  # the best comes first all the same
    assert len(set(varied.tolist())) == 5


@pytest.mark.parametrize("variety", [0.0, 0.5, 1.0])
def test_no_film_is_chosen_twice(variety):
    units = unit_rows(np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32))
    films = choose(np.arange(60, dtype=np.float32), 8, variety=variety, likeness=by(units))
    assert len(set(films.tolist())) == 8


def test_variety_goes_with_a_draw():
    scores = np.arange(60, dtype=np.float32)
    units = unit_rows(np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32))
    first, again = (choose(scores, 6, 1.0, 3, 0.5, by(units)) for _ in range(2))
    assert first.tolist() == again.tolist() != choose(scores, 6, 1.0, 4, 0.5, by(units)).tolist()


@pytest.mark.parametrize("settings", [{}, {"temperature": 1.0}, {"variety": 0.5}])
def test_where_nothing_may_be_chosen_nothing_is(settings):
    units = np.eye(3, dtype=np.float32)
    assert choose(np.full(3, -np.inf), 2, likeness=by(units), **settings).tolist() == []


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


@pytest.mark.filterwarnings("error")
def test_of_the_least_temperature_the_plain_best_come():
    scores = np.arange(50, dtype=np.float32)
    assert choose(scores, 5, temperature=5e-324, seed=1).tolist() == choose(scores, 5).tolist()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_come_as_often_as_the_softmax_says(temperature):
    """One film of a pool of five; the scores in units of their spread, over the temperature."""
    scores = np.array([0.0, 1.0, 2.0, 3.5, 4.0]) / 100
    expected = np.exp(scores / scores.std() / temperature)
    expected /= expected.sum()
    draws = [int(choose(scores, 1, temperature, seed)[0]) for seed in range(3000)]
    found = np.bincount(draws, minlength=5) / len(draws)
    assert found == pytest.approx(expected, abs=0.03)  # three standard errors


@pytest.mark.parametrize("setting", [{"temperature": 1.0}, {"variety": 0.6}])
def test_choice_does_not_depend_on_the_unit_of_the_scores(setting):
    rng = np.random.default_rng(1)
    scores, units = rng.normal(size=60), rng.normal(size=(60, 3))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    asked = setting | {"seed": 4, "likeness": by(units)}
    found = [choose(scores * unit, 4, **asked).tolist() for unit in (0.001, 1.0, 1000.0)]
    assert found[0] == found[1] == found[2]


def test_variety_looks_further_than_a_draw_does():
    """Ten times as many films are alike as are asked for; only the one after them is another."""
    scores = np.linspace(1.0, 0.99, 40)
    units = np.tile([1.0, 0.0], (40, 1))
    units[15] = [0.0, 1.0]
    assert choose(scores, 2, variety=1.0, likeness=by(units)).tolist() == [0, 15]
    drawn = {int(film) for seed in range(50) for film in choose(scores, 2, 5.0, seed)}
    assert drawn <= set(range(10))
    assert len(drawn) > 5


def test_varied_draw_at_next_to_no_temperature_is_the_varied_choice():
    rng = np.random.default_rng(2)
    scores, units = rng.normal(size=60), rng.normal(size=(60, 3))
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    varied = choose(scores, 5, variety=0.5, likeness=by(units)).tolist()
    assert choose(scores, 5, 1e-9, 0, 0.5, by(units)).tolist() == varied
    assert varied != choose(scores, 5).tolist()


def test_ten_films_unless_asked_otherwise():
    assert choose(np.arange(30.0)).tolist() == list(range(29, 19, -1))
