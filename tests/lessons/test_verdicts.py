"""Sentences about numbers say what the numbers say, whichever way these turn out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from movierec.evaluation.evaluate import Measured
from movierec.lessons import verdicts
from movierec.sample.simulate import Simulation


def test_what_was_lost_is_told_in_order_and_who_is_near_the_best():
    ends = pd.DataFrame({"best": [0.80, 0.83], "last": [0.95, 0.84]}, index=["free", "held"])
    said = verdicts.overfitted(ends)
    assert "rose by: *free* 0.150, *held* 0.010." in said
    assert "*free* has the lowest, 0.8000." in said
    assert said.endswith("luck: nothing else.")
    said = verdicts.overfitted(ends.assign(best=[0.80, 0.795]))
    assert "*held* has the lowest, 0.7950." in said
    assert said.endswith("may be luck: *free*.")


@pytest.mark.parametrize(("steady", "verdict"), [(2048, "does **not** bear"), (256, "bears the")])
def test_jumps_compare_losses_of_one_size_and_a_fall_is_none(steady, verdict):
    wild = np.array([2.0, 1.0, 2.0, 1.0])
    calm = np.array([4.0, 3.0, 2.0, 1.0, 0.1, 0.9, 0.1])  # falls steadily, then below the other
    losses = {256: wild, 2048: calm} if steady == 2048 else {256: calm, 2048: wild}
    said = verdicts.jumps(losses)
    assert verdict in said
    assert f"0.0% with {steady:,} rows" in said
    assert f"75.0% with {2304 - steady:,} rows" in said  # 1 for 2, and 2 for 1


def test_who_knows_pairs_best_need_not_have_the_better_lists():
    right = pd.Series({"fast": 70.0, "factor model": 68.0, "most often liked": 60.0})
    ndcg = pd.Series({"factor model": 0.1, "most often liked": 0.2})
    assert "nevertheless worse" in verdicts.pairs(right, "fast", ndcg)
    assert "better too" in verdicts.pairs(right, "fast", ndcg[::-1].set_axis(ndcg.index))
    assert "`fast` has most" in verdicts.pairs(right, "fast", None)
    assert "no pairs" in verdicts.pairs(right * np.nan, "fast", ndcg)


def test_the_most_alike_are_named_unless_there_is_only_one():
    names = ["a", "b", "c"]
    cosines = pd.DataFrame([[1, 0.9, -0.5], [0.9, 1, 0], [-0.5, 0, 1]], names, names)
    said = verdicts.alike(cosines, 32)
    assert said.startswith("Most alike are a and b (0.90), most opposed a and c (-0.50).")
    assert "0.90 is more than chance" in said
    assert "none to compare" in verdicts.alike(cosines.iloc[:1, :1], 32)


def test_the_noise_floor_is_told_where_it_is_known(small_world: Simulation):
    ratings = small_world.tables.ratings
    said = verdicts.floor(small_world.truth, ratings)
    assert f"{small_world.truth.noise_rmse:.3f} stars in expectation" in said
    assert "nobody knows" in verdicts.floor(None, ratings)


def test_gains_and_losses_are_both_told():
    gains = {
        "+ towers": pd.Series({"low": -0.02, "high": -0.01}),
        "+ 3 members": pd.Series({"low": 0.0001, "high": 0.0005}),
        "+ titles": pd.Series({"low": -0.1, "high": 0.1}),
    }
    assert verdicts.gained(gains) == (
        "towers lower it by more than luck; 3 members **raise** it by more than luck; titles "
        "change it no more than luck would."
    )


@pytest.mark.parametrize(
    ("gains", "verdict"),
    [
        ([-0.02, -0.01], "**worse** by more"),
        ([0.01, 0.02], "better by more"),
        ([-0.1, 0.1], "nothing is seen"),
    ],
)
def test_what_stars_add_to_an_order_helps_harms_or_is_not_seen(gains, verdict):
    def measured(ndcg: list[float]) -> Measured:
        return Measured(None, np.arange(50), None, pd.DataFrame({"rows": 1, "ndcg@10": ndcg}), 9)

    lists = {"alone": measured([0.5] * 50), "both": measured([0.5 + gain for gain in gains * 25])}
    said = verdicts.added(lists, "both", "alone")
    assert said.startswith("From *alone* to *both* NDCG@10 changes by ")
    assert verdict in said
    assert "cannot be measured" in verdicts.added({}, "both", "alone")


def test_a_network_has_gone_so_much_of_the_way_to_its_teacher():
    errors = pd.Series({"fast": 0.86, "best": 0.82, "distilled": 0.83})
    errors["distilled, at its start"], errors["distilled, by stars"] = 0.85, 0.84
    said = verdicts.taught(errors, "distilled", "best", "fast")
    assert "has gone 25% (0.8500) of the way" in said
    assert "from there 75% (0.8300), and by stars 50% (0.8400)." in said
    said = verdicts.taught(errors.drop("best"), "distilled", "best", "fast")
    assert said == "The network that `best` taught has 0.8300."
    assert verdicts.taught(errors, "distilled", "best", "best") == said
    said = verdicts.taught(errors.replace(0.82, 0.9), "distilled", "best", "fast")
    assert "**no better** here than `fast`" in said


@pytest.mark.parametrize("sign", [1, -1])
def test_a_winner_is_named_whichever_way_a_difference_is_signed(sign):
    gap = sign * pd.Series({"low": -0.02, "high": 0.01})
    assert "no winner" in verdicts.better(gap, "own", "rival")
    winner = verdicts.better(sign * pd.Series({"low": -0.02, "high": -0.01}), "own", "rival")
    assert winner.startswith("`own`" if sign == 1 else "`rival`")


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.03, -0.01, "Words lower the error, by more than luck: -0.020 stars"),
        (0.01, 0.03, "Words **raise** the error, by more than luck: +0.020 stars"),
        (-0.01, 0.03, "Words change the error by +0.010 stars (-0.010 to +0.030), which may be"),
    ],
)
def test_words_are_worth_what_their_interval_says(low, high, verdict):
    gap = pd.Series({"difference": (low + high) / 2, "low": low, "high": high})
    assert verdicts.worth(gap, "Words").startswith(verdict)


def test_traits_are_found_where_they_go_along_by_more_than_chance():
    off = pd.Series({"the mean": 0.7, "+ prior": 0.3})
    said = verdicts.recovered(off, np.array([0.9, 0.5, 0.2]), np.array([0.25, 0.1, 0.1]))
    assert "the mean 0.700, prior 0.300" in said
    assert "have 3 true traits" in said
    assert "2 go along with these by more than chance would (0.25)" in said
