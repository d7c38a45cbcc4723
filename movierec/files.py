"""Write a file whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: bytes | str) -> None:
    """Write a file so that at every moment the old one or the new one is there, whole.

    It is written under another name, forced to the disk, and put in place in one step, so that a
    full disk or a killed process leaves the old one.

    Args:
        path: the file.
        content: its bytes, or its text, which is written in UTF-8.

    Raises:
        OSError: it cannot be written.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        with new.open("wb") as sink:
            sink.write(content.encode() if isinstance(content, str) else content)
            sink.flush()
            os.fsync(sink.fileno())
        os.replace(new, path)
    except OSError:
        new.unlink(missing_ok=True)  # half a file would only fill the disk
        raise
    if os.name == "posix":  # the new name is on the disk only when its folder is
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
