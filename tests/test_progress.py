"""What a training and a count tell: lines, a live bar where a person watches, or nothing."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from movierec import progress
from movierec.progress import bar_wanted, counted

RECORD = {"epoch": 1, "train_loss": 0.5, "val_loss": float("nan"), "seconds": 2.0}


def test_a_line_beside_the_progress_is_there_at_once(monkeypatch):
    sink = io.BytesIO()  # such as a pipe, which would keep it until more has come
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(sink))
    monkeypatch.setenv("MOVIEREC_PROGRESS", "lines")
    progress.say("a line")
    assert sink.getvalue() == b"a line\n"


def test_a_line_tells_no_validation_loss_where_there_is_none(monkeypatch, capsys):
    monkeypatch.setenv("MOVIEREC_PROGRESS", "lines")
    with progress.progress() as (show_epoch, _):
        show_epoch(RECORD)
        show_epoch(RECORD | {"val_loss": 0.75})
    without, with_one = capsys.readouterr().err.splitlines()
    assert without.split() == ["epoch", "1", "train", "0.5000", "2.0", "s"]
    assert with_one.split()[4:6] == ["validation", "0.7500"]


def test_lines_tell_now_and_then_how_much_time_is_left(monkeypatch, capsys):
    monkeypatch.setenv("MOVIEREC_PROGRESS", "lines")
    clock = iter([100.0, 130.0, 160.0, 170.0, 220.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    with progress.progress() as (_, show_steps):
        for done in (10, 11, 12, 13, 14):  # ten were done by a process before
            show_steps(done, 20, 0.5)
    said = [line.split("  ") for line in capsys.readouterr().err.splitlines()]
    assert said == [
        ["12 of 20 steps", "loss 0.5000", "4 min left"],
        ["14 of 20 steps", "loss 0.5000", "3 min left"],
    ]


def test_a_bar_tells_how_far_it_is_and_the_losses_and_leaves_the_results_alone(monkeypatch, capsys):
    monkeypatch.setenv("MOVIEREC_PROGRESS", "bar")
    monkeypatch.setenv("COLUMNS", "120")
    with progress.progress() as (show_epoch, show_steps):
        show_epoch(RECORD | {"val_loss": 0.75})
        show_steps(3, 4, 0.25)
        print("a result")
    said = capsys.readouterr()
    for part in ("training", " 75%", "3/4", "loss 0.2500", "validation 0.7500"):
        assert part in said.err
    assert said.out == "a result\n"


def test_what_is_counted_is_told_in_a_bar_alone(monkeypatch, capsys):
    for mode, told in (("bar", True), ("lines", False), ("off", False)):
        monkeypatch.setenv("MOVIEREC_PROGRESS", mode)
        with counted("parts") as on_part:
            on_part(1, 2)
        said = capsys.readouterr().err
        assert ("1/2" in said, bool(said)) == (told, told)


@pytest.mark.parametrize("there", [True, False])
def test_a_notebook_has_a_bar_where_something_can_draw_it(monkeypatch, capsys, there):
    monkeypatch.delenv("MOVIEREC_PROGRESS", raising=False)
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: "a shell"))
    monkeypatch.setattr(progress, "find_spec", lambda name: there or None)
    assert bar_wanted() == there
    if not there:
        with progress.progress() as (show_epoch, _):
            show_epoch(RECORD)
        assert capsys.readouterr().out.startswith("epoch  1")  # where a notebook shows it
