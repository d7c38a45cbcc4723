"""What a reader of a batch sees: pages, figures and key figures out of executed notebooks."""

from __future__ import annotations

import base64
import copy
import io
import math
import re
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from movierec.files import write_whole
from movierec.lessons.record import METRICS_MIME
from movierec.reports.report import NotebookReport

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# what the first page shows of all that the notebooks record, in this order, and its name there
KEY_FIGURES = {
    "users": "users",
    "movies": "films",
    "ratings": "ratings",
    "parameters": "parameters of the network",
    "training_seconds": "seconds of its training",
    "validation_loss": "its validation loss (stars²)",
    "test_rmse": "test RMSE of the run (stars)",
    "best_test_rmse": "test RMSE of recipe best",
    "test_ndcg_at_10": "NDCG@10 of the run",
    "best_test_ndcg_at_10": "NDCG@10 of recipe best",
}
NUMBERED = re.compile(r"[0-9]{2}_\w+")  # the name of a notebook of a report
# of Pygments' styles the ones with the highest contrast on the cards of `style.css`
CODE_STYLES = {"light": "xcode", "dark": "zenburn"}


def read_notebook(path: Path) -> Any:
    """A notebook file in the current format."""
    import nbformat

    return nbformat.read(path, as_version=4)


def _outputs(notebook: Any) -> list[Any]:
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [output for cell in cells for output in cell.outputs if "data" in output]


def recorded(notebook: Any) -> dict[str, Any]:
    """What a notebook handed to `record`, by name."""
    metrics: dict[str, Any] = {}
    for output in _outputs(notebook):
        metrics |= output.data.get(METRICS_MIME, {})
    return metrics


def save_figures(notebook: Any, name: str, out_dir: Path) -> tuple[str, ...]:
    """Write a notebook's pictures to `figures`, and give their paths below `out_dir`."""
    paths: list[str] = []
    for output in _outputs(notebook):
        if "image/png" in output.data:
            paths.append(f"figures/{name}_{len(paths) + 1}.png")
            write_whole(out_dir / paths[-1], base64.b64decode(output.data["image/png"]))
    return tuple(paths)


def title_and_question(notebook: Any) -> tuple[str, str]:
    """The first heading, and the first paragraph after it, which is Markdown."""
    prose = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    heading = re.search(r"^# +(.+)$", prose, flags=re.MULTILINE)
    if heading is None:
        return "", ""
    blocks = (block.strip() for block in prose[heading.end() :].split("\n\n"))
    question = next((block for block in blocks if block and not block.startswith("#")), "")
    return heading.group(1).strip(), question


def notebook_page(notebook: Any, source: Path, titles: dict[Path, str]) -> str:
    """An executed notebook as HTML that loads nothing from elsewhere and runs no script.

    `titles` has all notebooks of the report, in order, `source` among them.
    """
    import jinja2
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import CoalesceStreamsPreprocessor

    exporter = HTMLExporter(
        template_name="basic",
        template_file="notebook.html.j2",
        extra_loaders=[jinja2.PackageLoader("movierec.reports")],
    )
    # lines that are printed one after the other are one block
    exporter.register_preprocessor(CoalesceStreamsPreprocessor, enabled=True)
    named = {other.stem: title or other.stem for other, title in titles.items()}
    page = copy.deepcopy(notebook)
    page.metadata["title"] = named[source.stem]
    for cell in page.cells:
        if cell.cell_type == "markdown":
            cell.source = _for_a_page(cell.source, named)
    for output in _outputs(page):
        if "text/markdown" in output.data:
            output.data["text/markdown"] = _for_a_page(output.data["text/markdown"], named)
    place = list(named).index(source.stem)
    about = {
        "previous": list(named.items())[:place][-1:],
        "next": list(named.items())[place + 1 :][:1],
        "notebook_file": source.name,
        "code_css": _code_css(),
    }
    text, _ = exporter.from_notebook_node(page, resources=about)
    return text


def _code_css() -> str:
    """The colours of code, on light and on dark pages."""
    from pygments.formatters import HtmlFormatter

    light, dark = (
        "\n".join(
            line
            for line in HtmlFormatter(style=style).get_style_defs(".highlight").splitlines()
            if line.startswith(".highlight .")  # the card's own colours stay
        )
        for style in CODE_STYLES.values()
    )
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}"


def _for_a_page(text: str, stems: Collection[str]) -> str:
    return with_equations(with_page_links(text, stems))


def with_page_links(text: str, stems: Collection[str]) -> str:
    """Markdown whose links to notebooks lead to their pages.

    Of numbered notebooks without a page only the words are left; links to anything else stay.
    """

    def page(link: re.Match[str]) -> str:
        words, stem, place = link.groups()
        if stem in stems:
            return f"[{words}]({stem}.html{place})"
        return words if NUMBERED.fullmatch(stem) else link[0]

    return re.sub(r"\[([^\]\n]*)\]\(([\w-]+)\.ipynb((?:#[^)\s]*)?)\)", page, text)


def with_equations(text: str) -> str:
    r"""Markdown whose equations are set as MathML, which browsers show without a script.

    What stands between dollar signs is an equation, as in Jupyter: `$x$` in a line, `$$x$$` by
    itself. In code a dollar sign is a dollar sign. What cannot be read as LaTeX stays as it is.
    """
    from latex2mathml import exceptions
    from latex2mathml.converter import convert

    unreadable = tuple(error for name, error in vars(exceptions).items() if name.endswith("Error"))

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

    Parameters and versions stand at the end, without parameters that are empty or 0, which leave
    it to the recipe or the notebook; `note` is a sentence above the notebooks.
    """
    from nbconvert.filters import markdown2html

    metrics = {name: value for report in reports for name, value in report.metrics.items()}
    figures = {
        called: shown(metrics[name]) for name, called in KEY_FIGURES.items() if name in metrics
    }
    stems = [report.name for report in reports]
    questions = {r.name: markdown2html(_for_a_page(r.question, stems)) for r in reports}
    return rendered(
        "index.html.j2",
        reports=reports,
        questions=questions,
        note=note,
        figures=figures,
        data=parameters.get("data", ""),
        parameters={k: v for k, v in parameters.items() if v or k == "seed"},
        versions=versions,
    )


def rendered(template: str, **values: Any) -> str:
    """A page from one of the templates, with every value shown as the text that it is."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("movierec.reports"), autoescape=True, trim_blocks=True
    )
    finished = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    return environment.get_template(template).render(finished=finished, shown=shown, **values)


def shown(value: Any) -> str:
    """A value as the pages show it: numbers with four figures, or all of those before the point."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return "–" if value is None else str(value)
    if not math.isfinite(value):
        return "–" if math.isnan(value) else str(value)
    if value == int(value):
        return format(int(value), ",")
    return format(value, ",.0f" if abs(value) >= 1000 else ".4g")


def picture(draw: Callable[[Figure], object], size: tuple[float, float]) -> bytes:
    """What is drawn on a figure of so many inches, in the style of the notebooks, as PNG."""
    import matplotlib
    from matplotlib.figure import Figure

    from movierec.lessons import plots

    sink, style = io.BytesIO(), cast(Any, plots.STYLE)
    with matplotlib.rc_context(style):
        figure = Figure(figsize=size)
        draw(figure)
        figure.savefig(sink, format="png")
    return sink.getvalue()
