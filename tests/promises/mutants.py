"""What share of small changes of the core do the tests notice? Of a drawn sample, room by room.

    python tests/promises/mutants.py 1200

mutmut makes all changes and finds out which test runs which function, as pyproject.toml has it
under [tool.mutmut]; as many as asked for are drawn and tried. Those that are noticed are not tried
again: a second call, after a test was added, tries what survived the first.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from scipy.stats import binomtest

ROOMS = ("data", "models", "recommend", "runs", "evaluation", "training")  # and the ground
NOTICED, TOO_LONG = (1, 3), (24, -24, 36, 152, 255)  # exit codes that mutmut keeps of its tests
BATCH = 200  # mutmut compares each name with all: with more than 256 that takes hours


def mutate(names: Iterable[str]) -> None:
    mutmut = Path(sys.executable).with_name("mutmut")
    subprocess.run([mutmut, "run", "--max-children", "1", *names], check=True)


def results() -> dict[str, int | None]:
    """The exit code of the tests for each change by its name, None if it was not tried."""
    found: dict[str, int | None] = {}
    for path in sorted(Path("mutants", "movierec").rglob("*.meta")):
        found |= json.loads(path.read_text("utf-8"))["exit_code_by_key"]
    return found


def drawn(size: int, seed: int) -> list[str]:
    """Names of changes: equal for the same code, and among those of a larger size."""
    names = sorted(results())
    random.Random(seed).shuffle(names)
    return sorted(names[:size])


def room(name: str) -> str:
    second = name.split(".")[1]
    return second if second in ROOMS else "ground"


def tell(names: list[str]) -> None:
    """Names of what is not noticed, and a table."""
    codes = results()
    print("\n".join(f"{name} {codes[name]}" for name in names if codes[name] not in NOTICED))
    print("| room | changes | drawn | noticed | without end | share | 95 % interval |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for each in ("ground", *ROOMS, "all"):
        mine = [codes[name] for name in names if each in ("all", room(name))]
        made = sum(each in ("all", room(name)) for name in codes)
        noticed, endless = (sum(code in kind for code in mine) for kind in (NOTICED, TOO_LONG))
        if mine:
            share = binomtest(noticed + endless, len(mine))
            low, high = share.proportion_ci(method="wilson")
            print(
                f"| {each} | {made:,} | {len(mine):,} | {noticed:,} | {endless} "
                f"| {share.statistic:.1%} | {low:.1%} to {high:.1%} |"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", type=int)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    mutate(["movierec.registry.*"])  # makes those of all modules
    chosen, codes = drawn(asked.size, asked.seed), results()
    left = [name for name in chosen if codes[name] not in NOTICED]
    for a in range(0, len(left), BATCH):
        mutate(left[a : a + BATCH])
    tell(chosen)
