"""The same seed, the same bits: `python tests/promises/faults/bits.py RECIPE ... [--from PATH]`.

Each recipe is trained three times by the command line, in processes of their own: twice undisturbed
and once killed with SIGKILL and trained again. A network is killed once it has a checkpoint, and
continued with `--resume`; recipe `best`, which keeps none, is killed after a quarter of its time
and begun anew. The SHA-256 sums of all that a run has learned must be equal.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PARTS = ("weights", "stars", "watching", "newcomers", "certainty")
FILES = (*(f"{part}.safetensors" for part in PARTS), "history.csv")


def train(arguments: list[str], run: Path, *more: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "movierec", "train", *arguments, "--run", str(run), *more]
    quiet = os.environ | {"MOVIEREC_PROGRESS": "off"}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, env=quiet)


def finish(process: subprocess.Popen[bytes]) -> None:
    if process.wait():
        raise RuntimeError(f"the training ended with {process.returncode}")


def killed(arguments: list[str], run: Path, seconds: float, checkpoints: bool) -> None:
    """Kill a training after so many seconds, or once it has a checkpoint."""
    process, began = train(arguments, run), time.monotonic()
    checkpoint = run.with_name(f"{run.name}.partial") / "checkpoint.safetensors"
    while not (checkpoint.exists() if checkpoints else time.monotonic() - began > seconds):
        if process.poll() is not None:
            raise RuntimeError("the training ended before it was killed; give it more epochs")
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not run.exists(), "the training was complete when it was killed"


def sums(run: Path) -> dict[str, str]:
    """SHA-256 of what was learned; of the history without the seconds, which are the clock's."""
    found = {name: (run / name).read_bytes() for name in FILES}
    rows = [line.split(b",") for line in found["history.csv"].splitlines()]
    kept = [place for place, name in enumerate(rows[0]) if b"seconds" not in name]
    found["history.csv"] = b"\n".join(b",".join(row[place] for place in kept) for row in rows)
    return {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="+", metavar="RECIPE")
    parser.add_argument("--data", default="sample")
    parser.add_argument("--from", dest="place", help="where the data lie")
    parser.add_argument("--epochs", type=int, help="of a network; 2 or more, so that it can resume")
    given = parser.parse_args()
    for recipe in given.recipes:
        network = recipe != "best"
        arguments = ["--recipe", recipe, "--data", given.data]
        arguments += ["--from", given.place] if given.place else []
        arguments += ["--epochs", str(given.epochs)] if given.epochs and network else []
        with tempfile.TemporaryDirectory(prefix="bits-") as folder:
            runs = {name: Path(folder, name) for name in ("once", "again", "resumed")}
            began = time.monotonic()
            finish(train(arguments, runs["once"]))
            seconds = time.monotonic() - began
            finish(train(arguments, runs["again"]))
            killed(arguments, runs["resumed"], seconds / 4, network)
            finish(train(arguments, runs["resumed"], *["--resume"] * network))
            found = {name: sums(run) for name, run in runs.items()}
        for name in FILES:
            different = {one[name] for one in found.values()}
            told = "equal" if len(different) == 1 else "DIFFERENT"
            print(
                f"{given.data} {recipe} {name:<22} {told} {' '.join(sorted(different))}", flush=True
            )
        if found["once"] != found["again"] or found["once"] != found["resumed"]:
            sys.exit(1)


if __name__ == "__main__":
    main()
