"""Download a MovieLens archive and verify its published checksum."""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from movierec.errors import InputError
from movierec.files import alone
from movierec.paths import DATA_VARIABLE, data_dir
from movierec.progress import bar_wanted, is_off

MIRROR_VARIABLE = "MOVIEREC_MIRROR"
GROUPLENS = "https://files.grouplens.org/datasets/movielens"
# MD5 sums as GroupLens publishes them; "" where the set changes in place and its .md5 file is asked
ARCHIVES = {
    "ml-1m": "c4d9eecfca2ab87c1945afe126590906",
    "ml-100k": "0e33842e24a9c977be4e0107933c0723",
    "ml-latest-small": "",
    "ml-25m": "6b51fb2759a8657d3bfcbfc42b592ada",
    "ml-32m": "d472be332d4daa821edc399621853b57",
}
LARGEST = 2**31  # bytes of an archive; the largest has a quarter of a gigabyte
SILENCE = 30  # seconds that a server may keep silent, or be slow at the beginning
SLOWEST = 2**10  # bytes a second, on the average


def download(name: str) -> Path:
    """Download a MovieLens archive into `data_dir()` and verify its published checksum.

    The mirror setting is the environment variable `MOVIEREC_MIRROR`: an address that has
    `NAME.zip`. A broken transfer is tried again three times; a file of the wrong checksum is
    removed, never used. A process that is killed meanwhile leaves no `NAME.zip`, and what it has
    received goes with the next download.

    Returns:
        The zip's path.

    Raises:
        InputError: the download failed, with the local way and the mirror setting named; or another
            process is downloading the same.
    """
    import pooch
    import requests

    mirror = os.environ.get(MIRROR_VARIABLE) or GROUPLENS

    def receive(url: str, target: str, _: Any) -> None:
        """What pooch calls to download: unlike its own way, it ends with every server."""
        with open(target, "wb") as file:
            for chunk in _received(url, LARGEST, name):
                file.write(chunk)

    url = f"{mirror.rstrip('/')}/{name}.zip"
    folder = data_dir()
    archive = folder / f"{name}.zip"
    receiving = folder / f".{archive.name}.partial"
    pooch.get_logger().disabled = is_off()  # a new level would not reach a logger of its making
    try:
        md5 = ARCHIVES[name] or _published_md5(url)
        fetcher = pooch.create(
            path=receiving,  # pooch names what it receives at random: nobody would find it again
            base_url="",
            registry={archive.name: f"md5:{md5}"},
            urls={archive.name: url},
            retry_if_failed=3,
        )
        with alone(archive):
            try:
                shutil.rmtree(receiving, ignore_errors=True)  # of a process that was killed
                os.replace(fetcher.fetch(archive.name, downloader=receive), archive)
            finally:
                shutil.rmtree(receiving, ignore_errors=True)
        return archive
    except InputError:
        raise
    except (requests.RequestException, ValueError) as error:
        raise InputError(
            f"could not download {url}: {error}. If you have the data, give its folder or zip "
            f"with --from PATH; or set {MIRROR_VARIABLE} to a mirror that has {name}.zip"
        ) from error
    except OSError as error:
        raise _disk_error(error, folder) from error


def _published_md5(url: str) -> str:
    """The checksum from the `.md5` file beside an archive that changes in place."""
    # asked anew each time and not kept: a kept sum would refuse the next edition of the set
    text = b"".join(_received(f"{url}.md5", 2**16, same_host=True)).decode("utf-8", "replace")
    found = re.search(r"\b[0-9a-f]{32}\b", text)
    if not found:
        raise ValueError(f"{url}.md5 holds no MD5 sum")
    return found.group()


def _received(
    url: str, most: int, name: str | None = None, same_host: bool = False
) -> Iterator[bytes]:
    """What a server sends, as it comes.

    Args:
        url: its address.
        most: bytes that it may send.
        name: what is downloaded, for a progress bar; None shows none.
        same_host: whether a redirection to another host is refused. An archive may come from
            anywhere, since its checksum is known; a checksum may not.

    Raises:
        requests.RequestException: no answer, a refusal, or a cut.
        ValueError: too long, too slow, or another host.
    """
    import requests
    import urllib3
    from tqdm.auto import tqdm

    headers = {"Accept-Encoding": "identity"}  # an archive does not get smaller
    with requests.get(url, stream=True, timeout=SILENCE, headers=headers) as answer:
        answer.raise_for_status()
        if same_host and urlsplit(answer.url).netloc != urlsplit(url).netloc:
            raise ValueError(f"it is redirected to another host, {urlsplit(answer.url).netloc}")
        began, length = time.monotonic(), 0
        announced = int(answer.headers.get("Content-Length", 0)) or None
        hidden = not (name and bar_wanted())
        with tqdm(total=announced, desc=name, unit="B", unit_scale=True, disable=hidden) as bar:
            try:
                while chunk := answer.raw.read1(2**20):  # whatever has come; read() would wait
                    length += len(chunk)
                    seconds = time.monotonic() - began
                    if length > most:
                        raise ValueError(f"the server sends more than {most:,} bytes")
                    if seconds > SILENCE and length < SLOWEST * seconds:
                        raise ValueError(
                            f"the server sent only {length:,} bytes in {seconds:.0f} seconds"
                        )
                    bar.update(len(chunk))
                    yield chunk
            except urllib3.exceptions.HTTPError as error:
                raise requests.ConnectionError(f"the connection was cut: {error}") from error


def _disk_error(error: OSError, path: Path) -> InputError:
    if error.errno == errno.ENOSPC:
        return InputError(
            f"no space left on the disk of {path}; free some, or set {DATA_VARIABLE} to a folder "
            "on another disk"
        )
    return InputError(f"could not use {path}: {error.strerror or error}; check its permissions")
