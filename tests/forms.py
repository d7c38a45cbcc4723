"""A small data set in each of the forms, as files and as a zip."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

Files = dict[str, bytes]

# invented people and films, in each of the forms
FORMS: dict[str, Files] = {
    "ml-1m": {
        "users.dat": b"1::F::25::4::12345\n2::M::1::20::54321-6\n5::M::56::0::00001\n",
        "movies.dat": (
            b"1::Silent Harbour, The (1984)::Drama|Mystery\n"
            b"2::Caf\xe9 :: the Sequel (2001)::Comedy\n"
            b"7::Tin Moon (1950)::Sci-Fi\n"
        ),
        "ratings.dat": b"1::1::5::1000\n1::7::3::1001\n2::1::4::1002\n5::2::1::999\n",
    },
    "ml-100k": {
        "u.user": b"1|24|F|artist|12345\n2|9|M|none|T8H1N\n5|70|M|artist|00001\n",
        "u.item": (
            b"1|Silent Harbour, The (1984)|01-Jan-1984||http://localhost/1|0|1|1\n"
            b"2|Caf\xe9 (2001)|01-Jan-2001||http://localhost/2|0|0|1\n"
            b"7|unknown||||1|0|0\n"
        ),
        "u.genre": b"unknown|0\nDrama|1\nComedy|2\n\n",
        "u.occupation": b"artist\nnone\n",
        "u.data": b"1\t1\t5\t1000\n1\t7\t3\t1001\n2\t1\t4\t1002\n5\t2\t1\t999\n",
    },
    "csv": {
        "movies.csv": (
            "movieId,title,genres\n"
            '1,"Silent Harbour, The (1984)",Drama|Mystery\n'
            "2,Café (2001),Comedy\n"
            "7,Tin Moon,(no genres listed)\n"
        ).encode(),
        "ratings.csv": (
            b"userId,movieId,rating,timestamp\n1,1,5.0,1000\n1,7,3.5,1001\n2,1,0.5,1002\n5,2,1,999\n"
        ),
    },
}
EVERY_FILE = [(form, name) for form, files in FORMS.items() for name in files]


def write_folder(path: Path, files: Files) -> Path:
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)
    return path


def zipped(files: Files, folder: str = "set/") -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(folder + name, content)
    return sink.getvalue()


def write_zip(path: Path, files: Files) -> Path:
    path.write_bytes(zipped(files))
    return path
