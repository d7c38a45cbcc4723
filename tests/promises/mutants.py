"""What share of small changes of the core do the tests notice? Of a drawn sample, room by room.

    python tests/promises/mutants.py 1200

mutmut makes all changes and finds out which test runs which function, as pyproject.toml has it
under [tool.mutmut]. As many changes as asked for are drawn, and each is tried in a process of its
own, which begins where pytest has collected the tests. Those that are noticed are not tried again:
a second call, after a test was added, tries what survived the first.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binomtest

PROJECT = Path(__file__).resolve().parents[2]
MUTANTS = PROJECT / "mutants"
FOUND = MUTANTS / "drawn.jsonl"  # a line a change that was tried: its name, and what came of it
ROOMS = ("data", "models", "recommend", "runs", "evaluation", "training")  # and the ground
SETTINGS = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
SECONDS = 60  # of the processor that a change may take, beside ten times what its tests take


def made() -> list[str]:
    """The names of all changes."""
    metas = [json.loads(path.read_text("utf-8")) for path in (MUTANTS / "movierec").rglob("*.meta")]
    return sorted(name for meta in metas for name in meta["exit_code_by_key"])


def drawn(size: int, seed: int) -> list[str]:
    """Names of changes: equal for the same code, and among those of a larger size."""
    names = made()
    random.Random(seed).shuffle(names)
    return sorted(names[:size])


def found() -> dict[str, str]:
    """What came of each change that was tried last: noticed, survived or endless."""
    lines = FOUND.read_text("utf-8").splitlines() if FOUND.exists() else []
    return dict(map(json.loads, lines))


class Trials:
    """In place of the tests: those that run a changed function, for each change."""

    def __init__(self, names: Sequence[str]) -> None:
        stats = json.loads((MUTANTS / "mutmut-stats.json").read_text("utf-8"))
        self.tests = stats["tests_by_mangled_function_name"]
        self.seconds = stats["duration_by_test"]
        self.names = names

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise session.Interrupted("the tests could not be collected")
        users: dict[Any, list[str]] = {}  # of a fixture that is made once
        for item in session.items:
            for fixture in shared_fixtures(item):
                users.setdefault(fixture, []).append(item.nodeid)
        for name in self.names:
            ids = set(self.tests.get(name.partition("__mutmut_")[0], []))
            # what runs while a fixture is made, mutmut finds with the first test that has it
            ids = ids.union(*(each for each in users.values() if each[0] in ids))
            items = [item for item in session.items if item.nodeid in ids]
            items.sort(key=lambda item: self.seconds[item.nodeid])
            if (child := os.fork()) == 0:
                try_one(session, name, items, sum(self.seconds[each] for each in ids))
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            came = {0: "survived", 1: "noticed"}.get(code, "endless")
            with FOUND.open("a", encoding="utf-8") as sink:
                sink.write(json.dumps([name, came]) + "\n")
        return True


def shared_fixtures(item: Any) -> set[tuple[str, str]]:
    """Those of ours that several tests have in common, by name and place."""
    known = [each[-1] for each in item._fixtureinfo.name2fixturedefs.values()]
    return {
        (fixture.argname, fixture.baseid)
        for fixture in known
        if fixture.scope != "function" and fixture.baseid.startswith("tests")
    }


def try_one(session: pytest.Session, name: str, items: list[Any], seconds: float) -> None:
    """In a new process, which ends with 1 once a test fails, and with 0 if none does."""
    os.environ["MUTANT_UNDER_TEST"] = name
    limit = SECONDS + 10 * int(seconds)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    code = 1
    try:
        for item, after in zip(items, [*items[1:], None], strict=True):
            session.config.hook.pytest_runtest_protocol(item=item, nextitem=after)
            if session.testsfailed:
                break
        else:
            code = 0
    finally:
        os._exit(code)


def tell(names: Sequence[str]) -> None:
    """Names of what was not noticed, and a table."""
    came, every = found(), made()
    print("\n".join(f"{came[name]} {name}" for name in names if came[name] != "noticed"))
    print("| room | changes | drawn | noticed | share | 95 % interval |")
    print("| --- | --- | --- | --- | --- | --- |")
    for each in ("ground", *ROOMS, "all"):
        mine, of = ([n for n in some if each in ("all", room(n))] for some in (names, every))
        if mine:
            share = binomtest(sum(came[name] != "survived" for name in mine), len(mine))
            low, high = share.proportion_ci(method="wilson")
            print(
                f"| {each} | {len(of):,} | {len(mine):,} | {share.k:,} "
                f"| {share.statistic:.1%} | {low:.1%} to {high:.1%} |"
            )


def room(name: str) -> str:
    second = name.split(".")[1]
    return second if second in ROOMS else "ground"


def try_all(names: Sequence[str]) -> None:
    """Try changes; what came of them stands in `found`."""
    os.chdir(MUTANTS)
    sys.path.insert(0, str(MUTANTS))
    with tempfile.TemporaryDirectory() as folder:
        options = ["--rootdir=.", f"--basetemp={folder}/tests"]
        chosen = SETTINGS["pytest_add_cli_args"] + SETTINGS["pytest_add_cli_args_test_selection"]
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            pytest.main(options + chosen, plugins=[Trials(names)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", type=int)
    parser.add_argument("--seed", type=int, default=19)
    asked = parser.parse_args()
    mutmut = Path(sys.executable).with_name("mutmut")  # one module's changes, after it made all
    subprocess.run([mutmut, "run", "--max-children", "1", "movierec.registry.*"], check=True)
    sample, known = drawn(asked.size, asked.seed), found()
    try_all([name for name in sample if known.get(name) != "noticed"])
    tell(sample)
