"""What the numbers of a notebook say, in words: each sentence follows from what it is given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from movierec.evaluation.evaluate import Measured
from movierec.evaluation.metrics import K, difference
from movierec.lessons.tables import as_text
from movierec.sample.simulate import Truth

LUCK = 0.01  # stars² that two short trainings may differ by, measured on few rows


def overfitted(ends: pd.DataFrame) -> str:
    """What trainings lost after their best epoch, and which do best with that epoch kept.

    Args:
        ends: trainings by `best` and `last`, the validation losses (stars²) of those epochs.
    """
    lost = (ends["last"] - ends["best"]).sort_values(ascending=False, kind="stable")
    told = ", ".join(f"*{name}* {value:.3f}" for name, value in lost.items())
    best, *others = ends["best"].sort_values(kind="stable").items()
    near = [f"*{name}*" for name, loss in others if loss - best[1] < LUCK]
    behind = f"Within {LUCK} of it, which may be luck: {', '.join(near) or 'nothing else'}."
    return (
        f"From the best epoch to the last the loss rose by: {told}. With the best epoch kept, "
        f"*{best[0]}* has the lowest, {best[1]:.4f}. {behind}"
    )


def jumps(losses: Mapping[int, npt.NDArray[np.floating]]) -> str:
    """How far the loss of a step jumps out of its neighbours' middle, by batch size.

    As a part of that middle, since a large loss varies more than a small one; a steady fall is no
    jump.

    Args:
        losses: the loss of each step (stars²), by rows a step; of each the first steps count, until
            it is below what another never comes below: further on they are not comparable.
    """
    level, jump = max(float(found.min()) for found in losses.values()), {}
    for batch, found in losses.items():
        early = found[: max(int(np.argmax(found < level)) or len(found), 3)]
        middle = (early[:-2] + early[2:]) / 2
        jump[batch] = float(np.abs(early[1:-1] / middle - 1).mean())
    said = ", ".join(f"{jump[batch]:.1%} with {batch:,} rows" for batch in sorted(jump))
    verdict = "bears the remark out"
    if jump[max(jump)] <= jump[min(jump)]:
        verdict = "does **not** bear the remark out: the mean of more rows is steadier"
    return (
        "As long as the losses are of one size, that of a step jumps by so much of it on average: "
        f"{said}. This {verdict}."
    )


def floor(truth: Truth | None, ratings: pd.DataFrame) -> str:
    """The least error that a model can have, as far as it is known, and what can be learned."""
    if truth is None:
        return (
            "These are not the simulated ratings: nobody knows their noise floor. In expectation "
            "it lies below every error that was honestly measured on them."
        )
    expected = truth.expected_rating(ratings["user_id"], ratings["movie_id"])
    reached = float(np.sqrt(np.mean((ratings["rating"] - expected) ** 2)))
    deviation = float(ratings["rating"].std(ddof=0))
    return (
        f"Noise floor of this sample: {truth.noise_rmse:.3f} stars in expectation, {reached:.3f} "
        f"on the ratings drawn. Guessing the mean errs by {deviation:.3f}: of the variance, "
        f"{1 - (reached / deviation) ** 2:.0%} can be learned at all."
    )


def pairs(right: pd.Series, own: str, ndcg: pd.Series | None) -> str:
    """Who puts most pairs of rated films in the right order, and whether that makes lists better.

    Args:
        right: percent of the pairs, by method; missing where there is no pair.
        own: the method of the run.
        ndcg: of the lists of each method; None: there are no lists.
    """
    if right.isna().any():
        return "No user rated two neighbouring rows differently here: there are no pairs."
    known, liked = "factor model", "most often liked"
    said = (
        f"`{right.idxmax()}` has most pairs in the right order, {right.max():.1f} %; the run, "
        f"`{own}`, has {right[own]:.1f} %, and the number of likes {right[liked]:.1f} %."
    )
    if ndcg is None or right[known] <= right[liked]:
        return said
    lists = "better too" if ndcg[known] > ndcg[liked] else "nevertheless worse"
    return f"{said} The factor model knows better what is liked than that; its lists are {lists}."


def gained(gains: Mapping[str, pd.Series]) -> str:
    """Which parts lower an error, by `low` and `high` of its change at each, and which raise it."""
    found: dict[str, list[str]] = {
        "lower it by more than luck": [],
        "**raise** it by more than luck": [],
        "change it no more than luck would": [],
    }
    lower, higher, luck = found.values()
    for name, gain in gains.items():
        part = lower if gain["high"] < 0 else higher if gain["low"] > 0 else luck
        part.append(name.removeprefix("+ "))
    said = [f"{', '.join(names)} {does}" for does, names in found.items() if names]
    return "; ".join(said) + "."


def better(gap: pd.Series, own: str, rival: str) -> str:
    """Which of two methods errs less, of `low` and `high` of the error of `own` minus `rival`'s."""
    if gap["low"] * gap["high"] <= 0:
        return "luck could make as much, so there is no winner"
    return f"`{own if gap['high'] < 0 else rival}` is better by more than luck"


def alike(cosines: pd.DataFrame, width: int) -> str:
    """Which two things are most alike and most opposed, and whether random ones, drawn often, are.

    Args:
        cosines: things by things.
        width: of how many numbers their vectors are.
    """
    count = len(cosines)
    above = np.triu(np.ones(cosines.shape), 1) > 0
    apart = cosines.where(above).stack().dropna().sort_values()
    if apart.empty:
        return "There are fewer than two here, so none to compare."
    unit = np.random.default_rng(0).standard_normal((400, count, width))
    unit /= np.linalg.norm(unit, axis=2, keepdims=True)
    most = (unit @ unit.transpose(0, 2, 1))[:, above].max(axis=1)
    limit = float(np.quantile(most, 0.95))
    one, other, first, second = map(as_text, (*apart.index[0], *apart.index[-1]))
    lowest, highest = apart.iloc[[0, -1]]
    verdict = "more than chance" if highest > limit else "**no more than chance**"
    return (
        f"Most alike are {first} and {second} ({highest:.2f}), most opposed {one} and {other} "
        f"({lowest:.2f}). Of {count} random vectors of {width} numbers the two most alike have a "
        f"cosine of {most.mean():.2f} on average, and above {limit:.2f} in one case of twenty: "
        f"{highest:.2f} is {verdict}."
    )


def added(lists: Mapping[str, Measured], more: str, base: str) -> str:
    """What the stars add to an order of films, by the lists of both.

    Args:
        lists: what was measured, by order; neither is there where there are no lists to measure.
        more, base: the names there of the order with the stars, and of that without.
    """
    if more not in lists:
        return "What the stars add cannot be measured here."
    ndcg = difference(lists[more].by_user, lists[base].by_user).loc[f"ndcg@{K}"]
    does = "luck could make as much, so **nothing is seen to be added**"
    if ndcg["low"] * ndcg["high"] > 0:
        does = f"it makes lists {'better' if ndcg['low'] > 0 else '**worse**'} by more than luck"
    by = "{difference:+.4f} ({low:+.4f} to {high:+.4f})".format(**ndcg)
    return f"From *{base}* to *{more}* NDCG@{K} changes by {by}: {does}."


def taught(errors: pd.Series, pupil: str, teacher: str, other: str) -> str:
    """How far a network has come from another, taught by stars, to its teacher.

    Args:
        errors: RMSE (stars) by method; the teacher may be missing.
        pupil, teacher: their names there; "PUPIL, at its start" is the network before its training,
            "PUPIL, by stars" what became of that start with stars in place of the teacher.
        other: the one that was taught by stars.
    """
    if teacher not in errors or teacher == other:
        return f"The network that `{teacher}` taught has {errors[pupil]:.4f}."
    way = errors[other] - errors[teacher]
    if way <= 0:
        return (
            f"The teacher (`{teacher}`, {errors[teacher]:.4f}) is **no better** here than "
            f"`{other}` ({errors[other]:.4f}): there was nothing to learn from it."
        )
    names = f"{pupil}, at its start", pupil, f"{pupil}, by stars"
    begun, gone, alone = (
        f"{(errors[other] - error) / way:.0%} ({error:.4f})" for error in errors[[*names]]
    )
    return (
        f"`{other}` has {errors[other]:.4f}, the teacher `{teacher}` {errors[teacher]:.4f}. By "
        f"starting at the teacher's factors the network has gone {begun} of the way, taught by the "
        f"teacher from there {gone}, and by stars {alone}."
    )


def worth(gap: pd.Series, what: str) -> str:
    """Whether adding something lowers an error, of `difference`, `low` and `high` of its change."""
    told = (round(gap[name], 3) + 0.0 for name in ("difference", "low", "high"))  # no -0.000
    change = "{:+.3f} stars ({:+.3f} to {:+.3f})".format(*told)
    if gap["low"] * gap["high"] <= 0:
        return f"{what} change the error by {change}, which may be luck"
    does = "lower" if gap["high"] < 0 else "**raise**"
    return f"{what} {does} the error, by more than luck: {change}"


def recovered(
    off: pd.Series, common: npt.NDArray[np.floating], chance: npt.NDArray[np.floating]
) -> str:
    """What of a known truth was found.

    Args:
        off: by method, how far predictions are from the expected ratings (root mean square, stars).
        common: what films' vectors have in common with their true traits, see `in_common`.
        chance: the same of the vectors in a random order.
    """
    away = ", ".join(f"{name.removeprefix('+ ')} {value:.3f}" for name, value in off.items())
    return (
        "The ratings here are simulated, so that one can look behind them. How far each is from "
        f"what is *expected* of a person and a film, in stars without the noise: {away}. Films "
        f"have {len(common)} true traits. Of the directions of their vectors, by hand and without "
        f"having seen the traits, {int((common > chance.max()).sum())} go along with these by more "
        f"than chance would ({chance.max():.2f}): their correlations are "
        f"{', '.join(f'{c:.2f}' for c in common)}."
    )
