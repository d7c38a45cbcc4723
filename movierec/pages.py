"""What a reader of a batch sees: pages, figures and key figures out of executed notebooks."""

from __future__ import annotations

import base64
import copy
import re
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from typing import Any

from movierec.files import write_whole

# what the first page shows of all that the notebooks record, in this order
KEY_FIGURES = (
    "users",
    "movies",
    "ratings",
    "parameters",
    "training_seconds",
    "validation_loss",
    "test_rmse",
    "best_test_rmse",
    "test_ndcg_at_10",
    "best_test_ndcg_at_10",
)
METRICS_MIME = "application/vnd.movierec+json"


@dataclass(frozen=True)
class NotebookReport:
    """One executed notebook of a batch."""

    name: str
    title: str
    question: str  # the first paragraph under the title, in HTML
    seconds: float
    peak_memory: int  # bytes
    metrics: dict[str, Any]  # what the notebook handed to `record`
    figures: tuple[str, ...]  # relative to the report's folder


def read_notebook(path: Path) -> Any:
    """A notebook file in the current format."""
    import nbformat

    return nbformat.read(path, as_version=4)


def _outputs(notebook: Any) -> list[Any]:
    return [
        output
        for cell in notebook.cells
        if cell.cell_type == "code"
        for output in cell.outputs
        if output.output_type in ("display_data", "execute_result")
    ]


def recorded(notebook: Any) -> dict[str, Any]:
    """What a notebook handed to `record`, by name."""
    metrics: dict[str, Any] = {}
    for output in _outputs(notebook):
        metrics |= output.data.get(METRICS_MIME, {})
    return metrics


def save_figures(notebook: Any, name: str, out_dir: Path) -> tuple[str, ...]:
    """Write a notebook's pictures to `figures`; gives their paths below `out_dir`."""
    figures: list[str] = []
    for output in _outputs(notebook):
        if "image/png" in output.data:
            figures.append(f"figures/{name}_{len(figures) + 1}.png")
            write_whole(out_dir / figures[-1], base64.b64decode(output.data["image/png"]))
    return tuple(figures)


def title_and_question(notebook: Any) -> tuple[str, str]:
    """The first heading, and the first paragraph after it as HTML."""
    from nbconvert.filters import markdown2html

    prose = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    heading = re.search(r"^# +(.+)$", prose, flags=re.MULTILINE)
    if heading is None:
        return "", ""
    blocks = (block.strip() for block in prose[heading.end() :].split("\n\n"))
    question = next((block for block in blocks if block and not block.startswith("#")), "")
    return heading.group(1).strip(), markdown2html(question)


def notebook_page(notebook: Any, source: Path, titles: dict[Path, str]) -> str:
    """One notebook as HTML that loads nothing from elsewhere."""
    import jinja2
    from nbconvert import HTMLExporter

    order = list(titles)
    place = order.index(source)
    links = {
        "previous": order[place - 1] if place > 0 else None,
        "next": order[place + 1] if place + 1 < len(order) else None,
    }
    navigation = {
        side: {"href": f"{other.stem}.html", "title": titles[other] or other.stem}
        for side, other in links.items()
        if other is not None
    }
    templates = str(resources.files("movierec") / "templates")
    exporter = HTMLExporter(
        template_name="lab",
        template_file="notebook.html.j2",
        extra_loaders=[jinja2.FileSystemLoader(templates)],
    )
    titled = copy.deepcopy(notebook)
    titled.metadata["title"] = titles[source] or source.stem
    stems = {other.stem for other in order}
    for cell in titled.cells:
        if cell.cell_type == "markdown":
            cell.source = with_equations(with_page_links(cell.source, stems))
    text, _ = exporter.from_notebook_node(
        titled, resources={"navigation": navigation, "notebook_file": source.name}
    )
    return text


def with_page_links(text: str, stems: set[str]) -> str:
    """Markdown whose links to notebooks of the report lead to their pages.

    Args:
        text: Markdown.
        stems: names of the notebooks that have a page, without ending; links to others stay.
    """

    def page(link: re.Match[str]) -> str:
        return f"]({link[1]}.html{link[2]})" if link[1] in stems else link[0]

    return re.sub(r"\]\(([\w-]+)\.ipynb((?:#[^)]*)?)\)", page, text)


def with_equations(text: str) -> str:
    r"""Markdown whose equations are set as MathML, which browsers show without a script.

    What stands between dollar signs is an equation, as in Jupyter: `$x$` in a line, `$$x$$` by
    itself. In code a dollar sign is a dollar sign. What cannot be read as LaTeX stays as it is.

    Args:
        text: Markdown.
    """
    from latex2mathml import exceptions
    from latex2mathml.converter import convert

    unreadable = tuple(
        found
        for found in vars(exceptions).values()
        if isinstance(found, type) and issubclass(found, Exception)
    )

    def mathml(found: re.Match[str]) -> str:
        block, inline = found["block"], found["inline"]
        if not (block or inline):
            return found[0]  # code
        try:
            return convert(block or inline, display="block" if block else "inline")
        except unreadable:
            return found[0]

    return re.sub(_CODE_OR_EQUATION, mathml, text)


_CODE_OR_EQUATION = re.compile(
    r"(?s)(?P<fence>```|`+)(?:(?!(?P=fence)).)+(?P=fence)"
    r"|\$\$(?P<block>.+?)\$\$"
    r"|(?<![\\\$])\$(?P<inline>(?=\S)[^\$\n]*?(?<=\S))\$(?!\d)"
)


def index_page(
    reports: list[NotebookReport],
    parameters: dict[str, Any],
    versions: dict[str, str],
    note: str = "",
) -> str:
    """The first page of a report: key figures, and the notebooks with what each answers.

    Args:
        reports: the notebooks in order.
        parameters, versions: by name, shown at the end.
        note: a sentence above the notebooks.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("movierec"), autoescape=True, trim_blocks=True
    )
    metrics = {name: value for report in reports for name, value in report.metrics.items()}
    figures = {name: _shown(metrics[name]) for name in KEY_FIGURES if name in metrics}
    return environment.get_template("index.html.j2").render(
        reports=reports,
        note=note,
        figures=figures,
        data=parameters.get("data", ""),
        parameters=parameters,
        versions=versions,
        finished=datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z"),
    )


def _shown(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
