"""What mkdocs does to a page before it renders it: `mkdocs.yml` names this file as a hook.

The pages are written as GitHub shows them. mkdocs differs in two things: it has only the files in
docs/, and its Markdown wants the text of a list item four columns in.
"""

import re
from pathlib import Path

from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REPOSITORY = "https://github.com/ampgate/ampgate"
LINK = re.compile(r"\]\(((?:\.\./)+[^)#\s]+)(#[^)\s]+)?\)")
FENCE = re.compile(r" *(```|~~~)")
ITEM = re.compile(r"([-*] |\d\. )\S")
COLUMNS = 4


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    return indented(linked(markdown, DOCS / page.file.src_uri))


def linked(markdown: str, page: Path) -> str:
    """Links to files of the repository outside docs/ lead to its web pages.

    A link to nothing stays as it is, and a strict build fails.
    """

    def address(link: re.Match[str]) -> str:
        target = (page.parent / link[1]).resolve()
        if target.is_relative_to(DOCS) or not target.exists():
            return link[0]
        kind = "tree" if target.is_dir() else "blob"
        path = target.relative_to(ROOT).as_posix()
        return f"]({REPOSITORY}/{kind}/main/{path}{link[2] or ''})"

    return LINK.sub(address, markdown)


def indented(markdown: str) -> str:
    """The lines of a list item that begin where its text does are moved four columns in."""
    lines, width, shift, in_fence = [], 0, None, False
    for line in markdown.split("\n"):
        text = line
        if width and line.startswith(" " * width):
            if shift is None:
                shift = " " * (COLUMNS - len(line) + len(line.lstrip()))
            text = shift + line
        elif line and not in_fence:
            marker = ITEM.match(line)
            width, shift = len(marker[1]) if marker else 0, None
        if FENCE.match(line):
            in_fence = not in_fence
        lines.append(text)
    return "\n".join(lines)
