"""What the code says of the outside leads to a fact in docs/reference."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "docs" / "reference"
PAGES = {page.name for page in REFERENCE.glob("*.md")}
CITATION = re.compile(r"\b([a-z-]+\.md)#([a-z0-9-]+)")


def sources() -> list[Path]:
    command = ["git", "ls-files", "*.py", "*.md", "*.yml", "*.toml", "*.html"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return [*ROOT.glob("*/**/*.py"), *ROOT.glob("docs/**/*.md")]
    return [path for line in listed.stdout.splitlines() if (path := ROOT / line).is_file()]


def headings(page: str) -> set[str]:
    """As links to them are written: in lower case, with hyphens between the words."""
    found = re.findall(r"^#+ (.+)$", (REFERENCE / page).read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", words).strip().lower().replace(" ", "-") for words in found}


def citations() -> list[tuple[str, str, str]]:
    """Each with the file that it stands in."""
    return [
        (path.relative_to(ROOT).as_posix(), page, heading)
        for path in sources()
        for page, heading in CITATION.findall(path.read_text())
        if page in PAGES
    ]


def test_every_citation_leads_to_a_heading() -> None:
    known = {page: headings(page) for page in PAGES}
    found = citations()

    assert len(found) > 60
    assert [one for one in found if one[2] not in known[one[1]]] == []


@pytest.mark.parametrize("name", ["upstreams", "product", "peers"])
def test_nothing_cites_a_document_that_the_repository_does_not_have(name: str) -> None:
    found = [path.name for path in sources() if f"{name}.md" in path.read_text()]

    assert found in ([], ["CHANGELOG.md"])
