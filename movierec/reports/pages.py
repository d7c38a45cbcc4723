"""What a reader of a batch sees: pages, figures and key figures out of executed notebooks."""

from __future__ import annotations

import base64
import json
import re
import secrets
from collections.abc import Collection
from datetime import datetime
from html import unescape
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import tostring

import jinja2
from latex2mathml.converter import convert_to_element
from nbconvert import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import CoalesceStreamsPreprocessor, TagRemovePreprocessor
from pygments.formatters import HtmlFormatter

from movierec.files import write_whole
from movierec.lessons.record import METRICS_MIME
from movierec.reports.report import NotebookReport

COVER = "cover"  # the tag of the cell whose picture stands for the notebook
BEFORE = "**Before you start:** "  # how the paragraph begins that says what a notebook needs
READ = 150, 15, 2  # words of prose, lines of code, and pictures that are read in a minute
NUMBERED = re.compile(r"[0-9]{2}_\w+")  # the name of a notebook of a report
# of Pygments' styles the ones with the highest contrast on the cards of `style.css`
CODE_STYLES = "xcode", "zenburn"  # on light and on dark pages


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
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
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


def search_script(notebooks: dict[str, Any]) -> str:
    """`search.js` of a report of these notebooks: what stands in each of their sections.

    A script, as a page of a folder may load one, but no data.
    """
    found = []
    for name, notebook in notebooks.items():
        said: list[str] = []
        for cell in notebook.cells:
            said += [cell.source] if cell.cell_type == "markdown" else []
            outputs = cell.get("outputs", [])
            said += [output.get("data", {}).get("text/markdown", "") for output in outputs]
        title = title_and_question(notebook)[0] or name
        parts = re.split(r"^## +(.+)$", "\n\n".join(said), flags=re.MULTILINE)
        for heading, text in zip([title, *parts[1::2]], parts[::2], strict=True):
            place = {"page": f"{name}.html", "title": title, "place": heading.replace(" ", "-")}
            found.append(place | {"heading": heading, "text": _plain(text)})
    return f"movierecSections({json.dumps(found)});\n"


def _plain(text: str) -> str:
    """Markdown without its marks, as far as one would search for it."""
    text = re.sub(r"\$\$.+?\$\$|^\*\*Contents:.+$", " ", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"\]\([^)]*\)|<[^>]+>|[*`\[$\\|#]", " ", unescape(text))
    return " ".join(text.split())


def notebook_page(notebook: Any, name: str, titles: dict[str, str]) -> str:
    """An executed notebook as HTML that loads nothing from elsewhere.

    Left out is what the side of the page has, what was handed to the batch, and its parameters.
    `titles` has all notebooks of the report by name, in order.
    """
    exporter = HTMLExporter(
        template_name="basic",
        template_file="notebook.html.j2",
        extra_loaders=[jinja2.PackageLoader("movierec.reports")],
    )
    # lines that are printed one after the other are one block
    exporter.register_preprocessor(CoalesceStreamsPreprocessor, enabled=True)
    injected = TagRemovePreprocessor(remove_cell_tags={"injected-parameters"})
    exporter.register_preprocessor(injected, enabled=True)
    minutes = needs_and_minutes(notebook)[1]

    @jinja2.pass_context
    def told(context: jinja2.runtime.Context, text: str) -> str:
        text = re.sub(_IN_THE_SIDE, "", text)
        text = re.sub(_NEEDS, rf"\1 *About {minutes} minutes.*", text)
        return html(text, titles, context.get("cell", {}).get("attachments"))

    exporter.register_filter("markdown2html", told)
    place = list(titles).index(name)
    headings = re.findall(r"^## +(.+)$", _prose(notebook), flags=re.MULTILINE)
    about = {
        "previous": list(titles.items())[:place][-1:],
        "next": list(titles.items())[place + 1 :][:1],
        "notebook_file": f"{name}.ipynb",
        "code_css": _code_css(),
        "handed_over": METRICS_MIME,
        "nonce": secrets.token_hex(),
        "side": {"pages": titles, "here": name, "headings": headings},
    }
    return exporter.from_notebook_node(notebook, resources=about)[0]


# paragraphs that a page has at its side and at its end
_IN_THE_SIDE = re.compile(r"(?m)\n*^(?:\*\*Contents:\*\* .+|(?:Previous|Next): \[.+)$")
_NEEDS = re.compile(rf"(?m)^({re.escape(BEFORE)}.+)$")


def _code_css() -> str:
    """The colours of code, on light and on dark pages; the card's own stay."""
    styles = (HtmlFormatter(style=style).get_style_defs(".highlight") for style in CODE_STYLES)
    light, dark = ("\n".join(re.findall(r"(?m)^\.highlight \..+", each)) for each in styles)
    return f"{light}\n@media screen and (prefers-color-scheme: dark) {{\n{dark}\n}}"


def html(text: str, pages: Collection[str], attachments: Any = None) -> str:
    """Markdown as Jupyter reads it, but with equations as MathML, which needs no script.

    What cannot be read as LaTeX stays as it is. Links to notebooks lead to their `pages`; of
    numbered notebooks without a page only the words are left. `attachments` are the cell's.
    """
    return MarkdownWithMath(renderer=_Renderer(pages, attachments)).render(text)


class _Renderer(IPythonRenderer):
    def __init__(self, pages: Collection[str], attachments: Any) -> None:
        super().__init__(escape=False, attachments=attachments)
        self._pages = pages

    def inline_math(self, body: str) -> str:
        equation = "" if body != body.strip() else _mathml(body)  # not "$5 and $6"
        return equation or str(super().inline_math(body))

    def block_math(self, body: str) -> str:
        return _mathml(body, "block") or str(super().block_math(body))

    def link(self, text: str, url: str, title: str | None = None) -> str:
        stem, found, place = url.partition(".ipynb")
        if found and stem in self._pages:
            url = f"{stem}.html{place}"
        elif found and NUMBERED.fullmatch(stem):
            return text
        return str(super().link(text, url, title))


def _mathml(equation: str, display: str = "inline") -> str:
    """An equation in MathML; "" if it cannot be read."""
    try:
        tree = convert_to_element(equation, display=display)
        for part in tree.iter():  # whose symbols are references, and whose words may be tags
            part.text = unescape(part.text or "")
        return tostring(tree, encoding="unicode")
    except Exception:  # half of LaTeX is met by its own errors, by IndexError, by RecursionError
        return ""


def index_page(
    reports: dict[str, NotebookReport],
    parameters: dict[str, Any],
    versions: dict[str, str],
    note: str = "",
) -> str:
    """The first page of a report: key figures, and the notebooks with what each answers.

    Parameters and versions stand at the end, without parameters that are empty or 0, which leave
    it to the recipe or the notebook; `note` is a sentence above the notebooks.
    """
    titles = {name: report.title or name for name, report in reports.items()}
    return rendered(
        "index.html.j2",
        reports=reports,
        metrics={k: v for report in reports.values() for k, v in report.metrics.items()},
        told=lambda text: html(text, titles),
        note=note,
        side={"pages": titles, "here": ""},
        data=parameters.get("data", ""),
        parameters={k: v for k, v in parameters.items() if (v or k == "seed") and k != "path"},
        versions=versions,
    )


def rendered(template: str, **values: Any) -> str:
    """A page from one of the templates, with every value shown as the text that it is."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("movierec.reports"), autoescape=True, trim_blocks=True
    )
    values["finished"] = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    values["nonce"] = secrets.token_hex()
    return environment.get_template(template).render(values)
