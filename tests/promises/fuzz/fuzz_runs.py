"""Coverage-guided fuzzing of what somebody else has made: `make fuzz-runs RUNS=100000`.

Run folders, reports, checkpoints, profiles, histories and requests to the page; see `strangers`.
What is found is written to the current folder as `crash-*`, to be mended, and then to be kept in
`corpus_runs` under a name that says what it is.
"""

from __future__ import annotations

import random
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["movierec"]):
    import strangers


def mutate(data: bytes, longest: int, seed: int) -> bytes:
    """Half of the changes are within the form of the file."""
    rng = random.Random(seed)
    if rng.random() < 0.5 and (changed := strangers.mutated(data, rng)) is not None:
        return changed[:longest]
    return atheris.Mutate(data, longest)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(strangers.seeds()):
            Path(folder, f"seed-{number}").write_bytes(seed)
        atheris.Setup(
            [*sys.argv, folder, str(strangers.CORPUS)], strangers.check, custom_mutator=mutate
        )
        atheris.Fuzz()
