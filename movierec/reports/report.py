"""What `metrics.json` of a report holds. It is written last, and so tells that the report is whole.

Reports are sent around: one that is read may be anybody's, and is used only as far as it has this
form.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, FiniteFloat, JsonValue

from movierec.errors import InputError
from movierec.trust import Form, Shown, read_json

METRICS = "metrics.json"
SEARCH = "search.js"
BEST = "best"  # the run folder of recipe `best` in a report, beside `model`


def _measurable(value: JsonValue) -> JsonValue:
    """Python reads whole numbers that no float holds."""
    if isinstance(value, int) and abs(value) >= 2**63:
        raise ValueError("expected a number of at most 18 digits")
    return value


Figure = Annotated[JsonValue, AfterValidator(_measurable)]


class NotebookReport(Form):
    """One executed notebook of a report."""

    name: Shown
    title: str  # its first heading
    question: str  # the first paragraph under that, in Markdown
    before: str  # the paragraph that says what it needs, in Markdown
    minutes: Annotated[int, AfterValidator(_measurable)]  # to read it, about
    seconds: FiniteFloat
    peak_memory_bytes: Annotated[int, AfterValidator(_measurable)]
    metrics: dict[str, Figure]  # what it handed to `record`
    figures: tuple[str, ...]  # relative to the report's folder
    cover: str  # the one that stands for it; "" if it has none

    @property
    def numbers(self) -> dict[str, float]:
        """Of the metrics, those that are numbers."""
        found = self.metrics.items()
        return {k: v for k, v in found if isinstance(v, int | float) and not isinstance(v, bool)}

    @property
    def took(self) -> dict[str, float]:
        """Seconds, and the most memory that its kernel and what that started held."""
        memory = round(self.peak_memory_bytes / 2**20)
        return {"seconds": self.seconds, "peak memory (MiB)": memory}


class Origin(Form):
    """All that the numbers of a report depend on, as far as it can be told in advance.

    Files are told by checksums; `data` is None if it has yet to be downloaded, or is simulated, and
    `run` if there was none to report on.
    """

    notebooks: dict[str, str] = Field(title="the notebooks")
    parameters: dict[str, JsonValue] = Field(title="the parameters")
    data: str | None = Field(title="the data")
    run: str | None = Field(title="the run")
    code: str = Field(title="the code of movierec")
    versions: dict[str, str] = Field(title="the installed versions")


class Report(Form):
    """A whole report."""

    notebooks: dict[str, NotebookReport]  # by name, in order
    made_from: Origin
    files: dict[Shown, str]  # a checksum of each of its files


def read_report(folder: Path) -> Report | None:
    """What the report in a folder tells; None if there is no `metrics.json`.

    Raises:
        InputError: it is not what a batch of notebooks writes.
    """
    file = folder / METRICS
    if not file.is_file():  # a pipe would be waited for
        return None
    try:
        return read_json(file, Report)
    except InputError as error:
        raise InputError(
            f"{file} is not what a batch of notebooks writes ({error}); run `movierec notebooks` "
            "anew"
        ) from error
