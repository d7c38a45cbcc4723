"""What is said of a known truth follows from it."""

from __future__ import annotations

import re

import numpy as np
import pytest

from movierec.lessons import truths
from movierec.runs import Run
from movierec.sample.simulate import Simulation


def test_a_linear_map_finds_what_is_there_and_nothing_in_noise():
    rng = np.random.default_rng(0)
    truth = rng.standard_normal((500, 3))
    mixed = truth @ rng.standard_normal((3, 8)) + 0.1 * rng.standard_normal((500, 8))
    assert truths.explained(mixed, truth) > 0.95
    assert truths.explained(rng.standard_normal((500, 8)), truth) < 0.05


def test_tastes_that_stand_in_the_vectors_are_told(small_world: Simulation, small_best: Run):
    truth, features = small_world.truth, small_best.features
    users = np.zeros((len(features.users), 8))
    films = np.zeros((len(features.movies), 8))
    users[features.users.encode(truth.user_ids)] = truth.user_tastes
    films[features.movies.encode(truth.movie_ids)] = truth.movie_traits
    said = truths.tastes(truth, features, {"the truth": (users, films)})
    tastes, traits, chance = map(int, re.findall(r"(-?\d+)%", said))
    assert min(tastes, traits) > 80
    assert chance < 20


@pytest.mark.parametrize("say", ["tastes", "circles"])
def test_of_other_data_nothing_is_claimed(say: str, small_best: Run):
    given = {
        "tastes": (small_best.features, {}),
        "circles": (small_best.recommender, 1),
    }
    assert getattr(truths, say)(None, *given[say]) == truths.UNKNOWN


def test_neighbours_share_circles_above_chance(small_world: Simulation, small_best: Run):
    film = int(small_world.truth.movie_ids[0])
    said = truths.circles(small_world.truth, small_best.recommender, film)
    shares, chance = map(
        int, re.search(r"\*\*(\d+)%\*\*, and of any two films (\d+)%", said).groups()
    )
    assert shares > chance


def test_lines_hold_about_four_of_five(small_best: Run):
    said = truths.covered(small_best.recommender, small_best.tables.ratings)
    held = [int(share) for share in re.findall(r"(\d+)% after", said)]
    assert len(held) == 3
    assert all(70 <= share <= 90 for share in held)
