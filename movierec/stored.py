"""Large files of which only what is asked for is read, and none of it before it is checked.

A file has a checksum for each piece of it, so that what is damaged is told whenever it is used,
and what is not used costs nothing: of a person's vector among 200,000, a piece is read and not the
file. The files may be anybody's: sizes are those that the file has, whatever it claims.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from movierec.errors import InputError

PIECE = 2**22  # bytes: some milliseconds of reading
_TYPES = {f"{kind}{8 * size}": f"<{kind.lower()}{size}" for kind in "FIU" for size in (1, 2, 4, 8)}


def checksums(content: bytes) -> str:
    """SHA-256 of each piece of a file, joined by blanks: of a short file just its SHA-256."""
    whole, starts = memoryview(content), range(0, max(len(content), 1), PIECE)
    return " ".join(hashlib.sha256(whole[a : a + PIECE]).hexdigest() for a in starts)


class Checked(mmap.mmap):
    """A file as it was written: no byte of it is given before its piece is checked.

    Args:
        path: the file.
        sums: its `checksums`.
        fault: makes the error of a sentence that goes on from the file's name; it is raised if the
            file is longer or shorter than was written, and from all methods for a damaged piece.
    """

    def __new__(cls, path: Path, sums: str, fault: Callable[[str], InputError]) -> Self:
        if len(sums.split(" ")) != -(-(size := path.stat().st_size) // PIECE) or not size:
            raise fault("is not as it was written (its length differs)")
        with path.open("rb") as file:
            return super().__new__(cls, file.fileno(), size, access=mmap.ACCESS_READ)

    def __init__(self, path: Path, sums: str, fault: Callable[[str], InputError]) -> None:
        self.path, self.fault = path, fault
        self._sums, self._sound = sums.split(" "), set[int]()  # pieces that need no second look

    @property
    def held(self) -> npt.NDArray[np.uint8]:
        """All of them, unchecked; not kept, or nothing would ever close the file."""
        return np.frombuffer(self, np.uint8)

    def check(self, start: int, stop: int) -> None:
        """Make sure that the bytes from start to stop are those that were written."""
        if self.size() < len(self):  # what is gone may not be looked at: the process would be ended
            raise self.fault("became shorter while it was read")
        for number in range(start // PIECE, -(-stop // PIECE)):
            if number not in self._sound:  # several threads may look at it at once
                piece = self.held[number * PIECE : (number + 1) * PIECE]
                if hashlib.sha256(piece.data).hexdigest() != self._sums[number]:
                    raise self.fault("is not as it was written (its checksum differs)")
                self._sound.add(number)

    def read(self, n: int | None = None) -> bytes:
        """Some bytes from the place that `seek` has gone to, or all that are left."""
        left = len(self) - self.tell()
        count = left if n is None or n < 0 else min(n, left)
        self.check(self.tell(), self.tell() + count)
        return super().read(count)


Check = Callable[[npt.NDArray[Any]], None]  # raises if some numbers, (n,), are not sound


class Stored:
    """An array in a file, whose rows are read and checked when they are asked for.

    It is indexed by rows as an array is, and where a whole array is needed, it is one.

    Args:
        file, start: where it is, and its first byte there.
        array: it, unchecked.
        sound: looks at its numbers before they are given.
    """

    def __init__(self, file: Checked, start: int, array: npt.NDArray[Any], sound: Check) -> None:
        self._file, self._start, self._array, self._sound = file, start, array, sound
        self._left = set(range(start // PIECE, -(-(start + array.nbytes) // PIECE)))
        self.shape, self.ndim = array.shape, array.ndim
        self.dtype, self.nbytes = array.dtype, array.nbytes

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, key: Any) -> Any:
        if self._left:
            self._look(np.arange(len(self))[key[0] if isinstance(key, tuple) else key])
        return self._array[key]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        for piece in sorted(self._left):
            self._check(piece)
        return np.array(self._array, dtype, copy=copy)

    @property
    def T(self) -> npt.NDArray[Any]:  # noqa: N802, as NumPy's
        """The whole, transposed."""
        return np.asarray(self).T

    def _look(self, rows: npt.NDArray[np.intp]) -> None:
        """Check what has not been checked of some rows."""
        width = self.nbytes // max(len(self), 1)
        first = self._start + width * np.ravel(rows)
        ends = first // PIECE, (first + max(width, 1) - 1) // PIECE + 1
        pieces = (self._start + self.nbytes) // PIECE + 2
        begun, ended = (np.bincount(end, minlength=pieces) for end in ends)
        for piece in np.flatnonzero(np.cumsum(begun - ended)).tolist():
            if piece in self._left:
                self._check(piece)

    def _check(self, piece: int) -> None:
        self._file.check(piece * PIECE, (piece + 1) * PIECE)
        size, begin = self._array.itemsize, piece * PIECE - self._start
        self._sound(self._array.reshape(-1)[max(begin // size, 0) : -(-(begin + PIECE) // size)])
        self._left = self._left - {piece}  # several threads may look at it at once


def arrays(
    file: Checked, sound: Callable[[str, npt.NDArray[Any]], None] = lambda name, numbers: None
) -> dict[str, Any]:
    """The arrays of a safetensors file, by name: those of many pieces as `Stored`.

    Raises:
        InputError: it is no such file, claims another size than it has, or holds a type that NumPy
            lacks; from `sound`.
    """
    start = 8 + int.from_bytes(file.held[:8].tobytes(), "little")
    file.check(0, min(start, len(file)))  # the header
    found: dict[str, Stored] = {}
    try:
        with safe_open(file.path, "numpy") as opened:  # which has no gaps, and just this length
            for name in opened.offset_keys():
                part = opened.get_slice(name)
                array = np.ndarray(part.get_shape(), _TYPES[part.get_dtype()], file.held, start)
                found[name] = Stored(file, start, array, partial(sound, name))
                start += array.nbytes
    except (OSError, SafetensorError, KeyError, ValueError, TypeError) as error:
        raise file.fault(f"is no safetensors file ({error})") from error
    return {k: np.asarray(held) if held.nbytes <= PIECE else held for k, held in found.items()}
