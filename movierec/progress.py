"""What a training tells while it runs: lines or a live bar, and where they go."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec

OnEpoch = Callable[[dict[str, float]], None]  # an epoch's row of the history
Progress = Callable[[int, int, float], None]  # steps done, steps in all, last mean loss
Show = Callable[..., None]  # moves a bar: how much is done, of how much or None, and a text
TELL_EVERY = 60.0  # seconds between two lines on the time left
PROGRESS_VARIABLE = "MOVIEREC_PROGRESS"  # "lines": one line an epoch; "off": nothing


def is_off() -> bool:
    """Whether nothing is to be told: `$MOVIEREC_PROGRESS` is "off"."""
    return os.environ.get(PROGRESS_VARIABLE) == "off"


def bar_wanted() -> bool:
    """Whether a live bar is shown: where a person watches, or as `$MOVIEREC_PROGRESS` has it."""
    if mode := os.environ.get(PROGRESS_VARIABLE):
        return mode == "bar"
    if _in_notebook():
        return find_spec("ipywidgets") is not None  # which draws it there
    return sys.stderr.isatty()


def say(text: str) -> None:
    """A line beside the progress, unless that is off.

    It goes to the standard output in a notebook, elsewhere to the error: that leaves it to results.
    """
    if not is_off():
        print(text, file=sys.stdout if _in_notebook() else sys.stderr, flush=True)


def _in_notebook() -> bool:
    ipython = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


@contextmanager
def progress(silent: bool = False) -> Iterator[tuple[OnEpoch, Progress]]:
    """One line an epoch, and a live bar where a person watches; callbacks for `fit`.

    Without a bar, a line now and then tells the time left. `$MOVIEREC_PROGRESS` ("bar", "lines" or
    "off") overrules.
    """
    if silent or is_off():
        yield lambda record: None, lambda *state: None
        return
    first: tuple[int, float] | None = None  # steps done when this process began, and the time
    told = 0.0

    def show_epoch(record: dict[str, float]) -> None:
        losses = [f"train {record['train_loss']:.4f}"]
        if not math.isnan(record["val_loss"]):  # as it is without validation rows
            losses.append(f"validation {record['val_loss']:.4f}")
        say(f"epoch {record['epoch']:2.0f}  {'  '.join(losses)}  {record['seconds']:6.1f} s")

    def show_time_left(done: int, total: int, loss: float) -> None:
        nonlocal first, told
        now = time.perf_counter()
        if first is None:
            first, told = (done, now), now
        elif now - told >= TELL_EVERY and done > first[0]:
            told, left = now, (now - first[1]) / (done - first[0]) * (total - done)
            say(f"{done} of {total} steps  loss {loss:.4f}  {left / 60:.0f} min left")

    if not bar_wanted():
        yield show_epoch, show_time_left
        return
    with counted("training") as show:
        yield show_epoch, lambda done, total, loss: show(done, total, f"loss {loss:.4f}")


@contextmanager
def counted(what: str, in_bytes: bool = False) -> Iterator[Show]:
    """A live bar where a person watches, in a terminal or a notebook; what moves it.

    `$MOVIEREC_PROGRESS` overrules, as in `progress`. `what` is counted, or done.
    """
    if not bar_wanted():
        yield lambda done, total, said="": None
        return
    from rich import progress as bars  # here: a twentieth of a second
    from rich.console import Console

    forced = os.environ.get(PROGRESS_VARIABLE) == "bar"
    with bars.Progress(
        "{task.description}",
        bars.BarColumn(),
        bars.TaskProgressColumn(),
        bars.DownloadColumn() if in_bytes else bars.MofNCompleteColumn(),
        bars.TimeRemainingColumn(elapsed_when_finished=True),
        "{task.fields[said]}",
        console=Console(stderr=True, force_terminal=forced or None),
        redirect_stdout=False,  # where results go
    ) as bar:
        task = bar.add_task(what, total=None, said="")
        yield lambda done, total, said="": bar.update(task, completed=done, total=total, said=said)
