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
    said = [f"{' and '.join(names)} {does}" for does, names in found.items() if names]
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
