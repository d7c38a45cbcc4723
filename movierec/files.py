"""Write a file whole or not at all, a folder by one process at a time, and nothing outside it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from movierec.errors import InputError


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
        new.unlink(missing_ok=True)  # of a killed process; or a link that somebody has laid there
        with new.open("xb") as sink:
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


def leads_out(path: Path, folder: Path) -> bool:
    """Whether a path below a folder that may be anybody's is a link to something outside of it."""
    return not path.resolve().is_relative_to(folder.resolve())


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let no other process write to a folder within the block.

    The lock is a file beside the folder, `.NAME.lock`. It ends with the process that holds it,
    however that ends, and says nothing to programs that do not ask for it.

    Args:
        path: the folder; it need not exist.

    Raises:
        InputError: another process holds it, or there is no writing beside the folder.
    """
    from filelock import FileLock, Timeout  # here: a twentieth of a second

    path = path.absolute()
    lock = FileLock(path.with_name(f".{path.name}.lock"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=False)
    except Timeout as error:
        raise InputError(
            f"another process is writing to {path}; wait until it has ended, or name another folder"
        ) from error
    except OSError as error:
        raise InputError(
            f"{path} could not be written: {error.strerror or error}; check that the folder exists "
            "and may be written, or name another"
        ) from error
    try:
        yield
    finally:
        if os.name == "posix":  # elsewhere a file that is held cannot be removed
            Path(lock.lock_file).unlink(missing_ok=True)  # while it is held: who waits looks again
        lock.release()
