"""What a training tells while it runs: lines or a live bar, and where they go."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

from tqdm.auto import tqdm

OnEpoch = Callable[[dict[str, float]], None]  # an epoch's row of the history
Progress = Callable[[int, int, float], None]  # steps done, steps in all, last mean loss

PROGRESS_VARIABLE = "MOVIEREC_PROGRESS"  # "lines": one line an epoch; "off": nothing


def is_off() -> bool:
    """Whether nothing is to be told: `$MOVIEREC_PROGRESS` is "off"."""
    return os.environ.get(PROGRESS_VARIABLE) == "off"


def bar_wanted() -> bool:
    """Whether a live bar is shown: where a person watches, or as `$MOVIEREC_PROGRESS` has it."""
    mode = os.environ.get(PROGRESS_VARIABLE)
    return mode == "bar" if mode else _in_notebook() or sys.stderr.isatty()


def say(text: str) -> None:
    """A line beside the progress, unless that is off."""
    if not is_off():
        print(text, file=_progress_stream(), flush=True)


def _progress_stream() -> TextIO:
    """The standard output in a notebook; elsewhere the error, which leaves it to results."""
    return sys.stdout if _in_notebook() else sys.stderr


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


@contextmanager
def progress(silent: bool = False) -> Iterator[tuple[OnEpoch, Progress]]:
    """A live bar where a person watches, one line an epoch elsewhere; callbacks for `fit`.

    `$MOVIEREC_PROGRESS` ("bar", "lines" or "off") overrules.
    """

    def show_line(record: dict[str, float]) -> None:
        losses = [f"train {record['train_loss']:.4f}"]
        if not math.isnan(record["val_loss"]):  # as it is without validation rows
            losses.append(f"validation {record['val_loss']:.4f}")
        print(
            f"epoch {record['epoch']:2.0f}  {'  '.join(losses)}  {record['seconds']:6.1f} s",
            file=_progress_stream(),
            flush=True,
        )

    if silent or not bar_wanted():
        quiet = silent or is_off()
        yield (lambda record: None) if quiet else show_line, lambda *state: None
        return
    with tqdm(unit="step", desc="training") as bar:

        def show_steps(done: int, total: int, loss: float) -> None:
            if bar.total is None:  # the first block, or an earlier process, tells no speed
                bar.total, bar.initial, bar.n = total, done, done
            bar.set_postfix(bar_postfix | {"loss": f"{loss:.4f}"}, refresh=False)
            bar.update(done - bar.n)

        def show_epoch(record: dict[str, float]) -> None:
            if not math.isnan(record["val_loss"]):
                bar_postfix["validation"] = f"{record['val_loss']:.4f}"

        bar_postfix: dict[str, str] = {}
        yield show_epoch, show_steps


@contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """A live bar where a person watches; a callback that is told how many are done and of how many.

    `$MOVIEREC_PROGRESS` overrules, as in `progress`.
    """
    with tqdm(unit=what, disable=not bar_wanted()) as bar:

        def on_count(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield on_count
