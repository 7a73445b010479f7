"""A page of HTML that stands alone: one file, nothing fetched, no script."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import recurra
from recurra.inspection.pages.style import STYLE


@dataclass(frozen=True)
class Part:
    """A part of a page.

    Attributes:
        name: Its identifier in the page.
        title: Its heading.
        body: Its HTML.
        parts: Headings inside that the list of contents shows too, by their identifiers.
    """

    name: str
    title: str
    body: str
    parts: tuple[tuple[str, str], ...] = ()


def document(title: str, header: str, parts: Sequence[Part]) -> str:
    """Return a whole page.

    Args:
        title: What the browser's window is called, as text.
        header: The HTML above all parts.
        parts: What the page consists of.
    """
    sections = "\n".join(
        f'<section id="{part.name}">\n<h2>{escape(part.title)}</h2>\n{part.body}\n</section>' for part in parts
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{STYLE}
</style>
</head>
<body>
<div class="page">
<nav aria-label="Contents">{_contents((part.name, part.title, part.parts) for part in parts)}</nav>
<main>
<header>
{header}
</header>
{sections}
<footer>Written by Recurra {recurra.__version__}.</footer>
</main>
</div>
</body>
</html>
"""


def _contents(entries: Iterable[tuple[str, str, tuple[tuple[str, str], ...]]]) -> str:
    items = []
    for name, title, inner in entries:
        below = _contents((name, title, ()) for name, title in inner) if inner else ""
        items.append(f'<li><a href="#{name}">{escape(title)}</a>{below}</li>')
    return f"<ol>{''.join(items)}</ol>"


def listing(rows: Iterable[Sequence[str]], heads: Sequence[str] = ()) -> str:
    """Return a table of cells that are HTML already, in a box that scrolls where it is too wide."""
    head = f"<thead><tr>{''.join(f'<th>{escape(text)}</th>' for text in heads)}</tr></thead>" if heads else ""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table class="listing">{head}<tbody>{body}</tbody></table></div>'


def figure(svg: str, caption: str = "", *, is_natural: bool = False) -> str:
    """Return a drawing with a caption of HTML under it; a natural one keeps its size where there is room."""
    kind = ' class="natural"' if is_natural else ""
    below = f"\n<figcaption>{caption}</figcaption>" if caption else ""
    return f"<figure{kind}>\n{svg.strip()}{below}\n</figure>"
