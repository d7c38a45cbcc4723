"""Coverage-guided fuzzing of the readers: `make fuzz RUNS=100000`.

Starts from whole files and from `corpus`; what it finds is written to the current folder as
`crash-*`, to be mended, and then to be kept in `corpus` under a name that says what it is.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["movierec", "zipfile"]):
    import readers

TOKENS = [*b",|:\t\n\r\"'", b"::", b"\r\n", b"\xef\xbb\xbf", b"(1984)", b"userId", b"2147483648"]

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(readers.seeds()):
            Path(folder, f"seed-{number}").write_bytes(seed)
        words = Path(folder, "tokens.dict")
        tokens = [bytes([token]) if isinstance(token, int) else token for token in TOKENS]
        words.write_text(
            "".join('"' + "".join(f"\\x{byte:02x}" for byte in token) + '"\n' for token in tokens)
        )
        atheris.Setup([*sys.argv, f"-dict={words}", folder, str(readers.CORPUS)], readers.check)
        atheris.Fuzz()
