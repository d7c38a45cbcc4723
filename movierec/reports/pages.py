"""What a reader of a batch sees: pages, figures and key figures out of executed notebooks."""

from __future__ import annotations

import base64
import copy
import io
import json
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

# what the first page shows of all that the notebooks record, in this order: its name and its form
KEY_FIGURES = {
    "users": ("users", ","),
    "movies": ("films", ","),
    "ratings": ("ratings", ","),
    "parameters": ("parameters of the network", ","),
    "training_seconds": ("seconds of its training", ",.0f"),
    "validation_loss": ("its validation loss (stars²)", ".3f"),
    "test_rmse": ("test RMSE of the run (stars)", ".3f"),
    "best_test_rmse": ("test RMSE of recipe best", ".3f"),
    "test_ndcg_at_10": ("NDCG@10 of the run", ".3f"),
    "best_test_ndcg_at_10": ("NDCG@10 of recipe best", ".3f"),
}
# ways through the report, on its first page
WAYS = {
    "The short way": ("01_data", "04_evaluation", "06_recommend"),
    "The network": ("01_data", "02_shapes", "03_training", "04_evaluation"),
    "The whole book": (
        *("01_data", "02_shapes", "03_training", "04_evaluation", "05_both_halves"),
        *("06_recommend", "07_solutions"),
    ),
}
COVER = "cover"  # the tag of the cell whose picture stands for the notebook
BEFORE = "**Before you start:** "  # how the paragraph begins that says what a notebook needs
READ = 150, 15, 2  # words of prose, lines of code, and pictures that are read in a minute
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


def save_figures(notebook: Any, name: str, out_dir: Path) -> tuple[tuple[str, ...], str]:
    """Write a notebook's pictures to `figures`.

    Returns:
        Their paths below `out_dir`, and that of the one that stands for the notebook: of the cell
        with the tag `COVER`, else the first; "" if there is none.
    """
    paths: list[str] = []
    cover = ""
    for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                paths.append(f"figures/{name}_{len(paths) + 1}.png")
                write_whole(out_dir / paths[-1], base64.b64decode(output.data["image/png"]))
                if COVER in cell.metadata.get("tags", []):
                    cover = paths[-1]
    return tuple(paths), cover or "".join(paths[:1])


def _prose(notebook: Any) -> str:
    return "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")


def title_and_question(notebook: Any) -> tuple[str, str]:
    """The first heading, and the first paragraph after it, which is Markdown."""
    prose = _prose(notebook)
    heading = re.search(r"^# +(.+)$", prose, flags=re.MULTILINE)
    if heading is None:
        return "", ""
    blocks = (block.strip() for block in prose[heading.end() :].split("\n\n"))
    question = next((block for block in blocks if block and not block.startswith("#")), "")
    return heading.group(1).strip(), question


def needs_and_minutes(notebook: Any) -> tuple[str, int]:
    """The paragraph that says what a notebook needs (Markdown), and how long it takes to read."""
    prose = _prose(notebook)
    needs = next((block for block in prose.split("\n\n") if block.startswith(BEFORE)), "")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    lines = sum(len(cell.source.splitlines()) for cell in code)
    pictures = sum("image/png" in output.data for output in _outputs(notebook))
    amounts = len(prose.split()), lines, pictures
    return needs, max(round(sum(n / each for n, each in zip(amounts, READ, strict=True))), 1)


def sections(notebook: Any, name: str) -> list[dict[str, str]]:
    """What can be searched for: the text of each section, with what its cells say in Markdown."""
    title, _ = title_and_question(notebook)
    found = [{"page": f"{name}.html", "title": title, "place": "", "heading": title, "text": ""}]
    for cell in notebook.cells:
        said = [cell.source] if cell.cell_type == "markdown" else []
        for output in cell.get("outputs", []):
            said.append(output.get("data", {}).get("text/markdown", ""))
        for text in said:
            before, *parts = re.split(r"^## +", text, flags=re.MULTILINE)
            found[-1]["text"] += f" {_plain(before)}"
            for part in parts:
                heading, _, rest = part.partition("\n")
                named = {"place": heading.replace(" ", "-"), "heading": heading}
                found.append(found[0] | named | {"text": _plain(rest)})
    return found


def _plain(text: str) -> str:
    """Markdown without its marks, as far as one would search for it."""
    text = re.sub(r"\$\$.+?\$\$|^\*\*Contents:.+$", " ", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\]\([^)]*\)|<[^>]+>|[*`\[$\\|]", " ", text)
    return " ".join(text.split())


def search_script(found: list[dict[str, str]]) -> str:
    """`search.js` of a report: a page of a folder may load a script, but no data."""
    return f"movierecSections({json.dumps(found)});\n"


def notebook_page(notebook: Any, source: Path, titles: dict[Path, str]) -> str:
    """An executed notebook as HTML that loads nothing from elsewhere.

    Left out is what the side of the page has, what was handed to the batch, and its parameters.
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
    headings = re.findall(r"^## +(.+)$", _prose(page), flags=re.MULTILINE)
    minutes = needs_and_minutes(page)[1]
    injected = "injected-parameters"
    page.cells = [cell for cell in page.cells if injected not in cell.metadata.get("tags", [])]
    for cell in page.cells:
        if cell.cell_type == "markdown":
            text = re.sub(_IN_THE_SIDE, "", cell.source)
            text = re.sub(_NEEDS, rf"\1 *About {minutes} minutes.*", text)
            cell.source = _for_a_page(text, named)
        else:
            cell.outputs = [o for o in cell.outputs if METRICS_MIME not in o.get("data", {})]
    for output in _outputs(page):
        if "text/markdown" in output.data:
            output.data["text/markdown"] = _for_a_page(output.data["text/markdown"], named)
        if "text/html" in output.data:
            output.data["text/html"] = with_words_left(output.data["text/html"])
    place = list(named).index(source.stem)
    about = {
        "previous": list(named.items())[:place][-1:],
        "next": list(named.items())[place + 1 :][:1],
        "notebook_file": source.name,
        "code_css": _code_css(),
        "side": {"pages": named, "here": source.stem, "headings": headings},
    }
    text, _ = exporter.from_notebook_node(page, resources=about)
    return text


# paragraphs that a page has at its side and at its end
_IN_THE_SIDE = re.compile(r"(?m)\n*^(?:\*\*Contents:\*\* .+|(?:Previous|Next): \[.+)$")
_NEEDS = re.compile(rf"(?m)^({re.escape(BEFORE)}.+)$")


def with_words_left(html: str) -> str:
    """Tables whose columns of words stand on the left, where those of numbers stand on the right.

    A column is one of words if it names the rows, or one of its cells holds a word or a list.
    """
    from bs4 import BeautifulSoup

    if "<table" not in html:
        return html
    soup = BeautifulSoup(html, "html.parser")
    for table in soup.find_all("table"):
        body = [row.find_all(["th", "td"]) for row in table.select("tbody tr")]
        of_words = {
            place - len(row)  # counted from the right: names of rows may span several
            for row in body
            for place, cell in enumerate(row)
            if cell.name == "th" or _WORD.search(cell.get_text())
        }
        for row in body + [row.find_all("th") for row in table.select("thead tr")]:
            for place, cell in enumerate(row):
                if place - len(row) in of_words:
                    cell["class"] = " ".join([*map(str, cell.get_attribute_list("class")), "words"])
    return str(soup)


_WORD = re.compile(r"(?!nan|NaN|inf)[^\W\d_]{2}|[(\[]")


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
        called: format(metrics[name], form)
        for name, (called, form) in KEY_FIGURES.items()
        if isinstance(metrics.get(name), int | float)
    }
    by_name = {report.name: report for report in reports}

    def told(text: str) -> Any:
        return markdown2html(_for_a_page(text, by_name))

    ways = {way: [by_name[n] for n in names if n in by_name] for way, names in WAYS.items()}
    whole = {way: names for way, names in ways.items() if len(names) == len(WAYS[way])}
    return rendered(
        "index.html.j2",
        reports=reports,
        told={r.name: {"question": told(r.question), "before": told(r.before)} for r in reports},
        note=note,
        figures=figures,
        ways=whole,
        side={"pages": {r.name: r.title or r.name for r in reports}, "here": ""},
        data=parameters.get("data", ""),
        parameters={k: v for k, v in parameters.items() if (v or k == "seed") and k != "path"},
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
