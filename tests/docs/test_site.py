"""The documentation site builds strictly, and what it shows is in it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.site_pages import DOCS, REPOSITORY, indented, linked

ROOT = DOCS.parent
# What a browser loads by itself. A link that a reader follows is none of these.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\ssrc=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|<link\b[^>]*?\shref=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|url\(["']?((?:https?:)?//[^"')]+)|@import\s+["']((?:https?:)?//[^"']+)""",
)


def build(
    site: Path, configuration: Path = ROOT / "mkdocs.yml"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", configuration, "-d", site],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with the checks that CI wants: a link to nothing fails it."""
    directory = tmp_path_factory.mktemp("site")
    done = build(directory)
    assert done.returncode == 0, done.stderr
    return directory


def test_every_page_is_built(site: Path) -> None:
    pages = {page.relative_to(DOCS).with_suffix("") for page in DOCS.rglob("*.md")}
    built = {page.relative_to(site).with_suffix("") for page in site.rglob("*.html")}

    assert {Path(str(page).replace("README", "index")) for page in pages} <= built


def test_the_pages_load_nothing_from_another_host(site: Path) -> None:
    files = [file for file in site.rglob("*") if file.suffix in (".html", ".css", ".svg")]
    loaded = {
        f"{file.relative_to(site)}: {next(filter(None, found))}"
        for file in files
        for found in LOADED.findall(file.read_text())
    }

    assert files
    assert not loaded


@pytest.mark.parametrize(
    "element",
    [
        '<script src="https://cdn.example/x.js">',
        "<img alt=x src=//cdn.example/x.png>",
        '<link rel="preconnect" href="https://fonts.example">',
        "a { background: url(https://cdn.example/x.png) }",
    ],
)
def test_what_would_be_loaded_from_another_host_is_found(element: str) -> None:
    assert LOADED.search(element)


def test_links_to_nothing_fail_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "index.md").write_text("# Title\n\n[a](no-page.md) [b](#no-heading) [c](../NO_FILE)\n")
    settings = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[0]
    changed = settings.replace("docs_dir: docs", f"docs_dir: {docs}")
    configuration = tmp_path / "mkdocs.yml"
    configuration.write_text(changed.replace("- tests/", f"- {ROOT}/tests/"))

    done = build(tmp_path / "site", configuration)

    assert done.returncode != 0
    assert [
        name for name in ("no-page.md", "#no-heading", "NO_FILE") if name not in done.stderr
    ] == []


def test_a_link_out_of_the_docs_leads_to_the_repository() -> None:
    page = DOCS / "reference" / "README.md"

    assert linked("[a](../../LICENSE) [b](../../deploy#x)", page) == (
        f"[a]({REPOSITORY}/blob/main/LICENSE) [b]({REPOSITORY}/tree/main/deploy#x)"
    )
    assert linked("[c](../metrics.md)", page) == "[c](../metrics.md)"


def test_a_list_items_text_is_moved_to_where_markdown_wants_it() -> None:
    after = "after\n\n```\n- code\n  same\n```\n"

    assert indented("- one\n\n  ```sh\n  ls\n    -l\n  ```\n\n1. two\n   more\n\n" + after) == (
        "- one\n\n    ```sh\n    ls\n      -l\n    ```\n\n1. two\n    more\n\n" + after
    )
