"""What the numbers of a notebook say, in words: each sentence follows from what it is given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd


def overfitted(ends: pd.DataFrame) -> str:
    """Which training lost most after its best epoch, and which did best with that epoch kept.

    Args:
        ends: trainings by `best` and `last`, the validation losses (stars²) of those epochs.
    """
    lost = (ends["last"] - ends["best"]).round(3)
    most, least, best = lost.idxmax(), lost.idxmin(), ends["best"].idxmin()
    other = ", too" if lost[best] == lost[least] else ", though others lost less"
    return (
        f"From its best epoch to its last *{most}* lost {lost[most]:.3f}, the most, and *{least}* "
        f"{lost[least]:.3f}, the least. With the best epoch kept, *{best}* has the lowest loss"
        f"{other}: {ends['best'][best]:.4f}."
    )


def jumps(losses: Mapping[int, npt.NDArray[np.floating]]) -> str:
    """How far the loss goes up and down from one step to the next, by batch size.

    Args:
        losses: the loss of each step (stars²), by rows a step; of each the second half counts,
            when the fall at the beginning is over.
    """
    jump = {
        batch: float(np.abs(np.diff(found[len(found) // 2 :])).mean())
        for batch, found in losses.items()
    }
    small, large = min(jump), max(jump)
    said = ", ".join(f"{jump[batch]:.3f} with {batch:,} rows" for batch in sorted(jump))
    verdict = "does **not** bear the remark out: the mean of more rows is steadier"
    if jump[large] > jump[small]:
        verdict = "bears the remark out"
    return (
        f"From one step to the next the loss changes by so many stars² on average: {said}. "
        f"This {verdict}."
    )


def gained(gains: Mapping[str, pd.Series]) -> str:
    """Which parts lower an error, by `low` and `high` of its change at each, and which raise it."""
    luck = "by more than luck"
    found = {
        f"lower it {luck}": [name for name, gain in gains.items() if gain["high"] < 0],
        f"**raise** it {luck}": [name for name, gain in gains.items() if gain["low"] > 0],
        "change it no more than luck would": [
            name for name, gain in gains.items() if gain["low"] <= 0 <= gain["high"]
        ],
    }
    said = [
        f"{', '.join(names[:-1])}{' and ' * (len(names) > 1)}{names[-1]} {does}"
        for does, names in found.items()
        if names
    ]
    return "; ".join(said).replace("+ ", "") + "."


def better(gap: pd.Series, own: str, rival: str) -> str:
    """Which of two methods errs less, of `low` and `high` of the error of `own` minus `rival`'s."""
    if gap["low"] <= 0 <= gap["high"]:
        return "luck could make as much, so there is no winner"
    return f"`{own if gap['high'] < 0 else rival}` is better by more than luck"


def along(errors: pd.Series, what: str) -> str:
    """How RMSE (stars) by bands of `what`, "users" or "films", goes from the first to the last."""
    errors = errors.dropna()
    first, last = errors.index[0], errors.index[-1]
    if len(errors) < 2:
        return f"All {what} here have {first} training ratings."
    way = "falls" if errors.iloc[-1] < errors.iloc[0] else "**rises**"
    return (
        f"From {what} with {first} training ratings to those with {last} it {way}, from "
        f"{errors.iloc[0]:.3f} to {errors.iloc[-1]:.3f}."
    )


def concentrated(errors: float, rows: float) -> str:
    """Whether the users with the most squared error are hard, or have many rows.

    Args:
        errors, rows: their shares, 0 to 1, of the squared error and of the rows.
    """
    each = errors / rows
    reason = (
        "so that it is mostly their many rows that single them out"
        if each < 1.5
        else "so that they are hard to predict"
    )
    return (
        f"The tenth of the users with the most squared error have {errors:.0%} of it and "
        f"{rows:.0%} of the rows. A row of theirs has {each:.2f} times the mean squared error, "
        f"{reason}."
    )


def beyond_chance(highest: float, vectors: int, width: int) -> str:
    """Whether the most alike of some vectors are more alike than random ones, drawn often.

    Args:
        highest: the largest cosine of two of them.
        vectors, width: how many there are, and of how many numbers.
    """
    rng = np.random.default_rng(0)
    unit = rng.standard_normal((400, vectors, width))
    unit /= np.linalg.norm(unit, axis=2, keepdims=True)
    cosines = unit @ unit.transpose(0, 2, 1)
    cosines[:, np.arange(vectors), np.arange(vectors)] = -1
    most = cosines.max(axis=(1, 2))
    limit = float(np.quantile(most, 0.95))
    verdict = "more than chance" if highest > limit else "**no more than chance**"
    return (
        f"Of {vectors} random vectors of {width} numbers the two most alike have a cosine of "
        f"{most.mean():.2f} on average, and above {limit:.2f} in one case of twenty: {highest:.2f} "
        f"is {verdict}."
    )


def misread(rightly: int, wrongly: int) -> str:
    """Whether reading a file in the wrong encoding loses words, by rows of the title matrix."""
    if rightly == wrongly:
        said = "here no two words differ in an accent alone, so that the mistake does not show"
    else:
        said = f"{rightly - wrongly} words that differ in an accent alone became one with others"
    return f"Title words: {rightly:,} rows when read rightly, {wrongly:,} when misread: {said}."


def ordered(ndcg: pd.Series) -> str:
    """Which orders of films make the best lists and the worst, by their NDCG@10; may be empty."""
    if ndcg.empty:
        return "Lists cannot be measured here: no film of these rows is both new and liked."
    best, worst = ndcg.idxmax(), ndcg.idxmin()
    return (
        f"The best lists come from *{best}* ({ndcg[best]:.3f}), the worst from *{worst}* "
        f"({ndcg[worst]:.3f})."
    )


def taught(errors: pd.Series, pupil: str, teacher: str, other: str) -> str:
    """How far a network has come from the same layers taught by stars to its teacher.

    Args:
        errors: RMSE (stars) by method; the teacher may be missing.
        pupil, teacher: their names there, and of the `other` that was taught by stars.
    """
    if teacher not in errors or teacher == other:
        return f"The network that `{teacher}` taught has {errors[pupil]:.4f}."
    way = errors[other] - errors[teacher]
    if way <= 0:
        return (
            f"The teacher (`{teacher}`, {errors[teacher]:.4f}) is **no better** here than "
            f"`{other}` ({errors[other]:.4f}): there was nothing to learn from it."
        )
    gone = (errors[other] - errors[pupil]) / way
    return (
        f"`{other}` has {errors[other]:.4f}, the teacher `{teacher}` {errors[teacher]:.4f}, and "
        f"the network taught by it {errors[pupil]:.4f}: it has gone {gone:.0%} of the way."
    )


def worth(gap: pd.Series, what: str) -> str:
    """Whether adding something lowers an error, of `difference`, `low` and `high` of its change."""
    told = (round(gap[name], 3) + 0.0 for name in ("difference", "low", "high"))  # no -0.000
    change = "{:+.3f} stars ({:+.3f} to {:+.3f})".format(*told)
    if gap["low"] <= 0 <= gap["high"]:
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


def titles(kept: int, words: int, hidden: int, shared: float) -> str:
    """How many words titles share, and which part of the hidden films, 0 to 1, has such a word."""
    return (
        f"{kept:,} of {words:,} words stand in two titles or more. {hidden:,} films are hidden; "
        f"{shared:.0%} of them have such a word."
    )
