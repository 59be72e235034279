"""Plain words: none of `forbidden_words.txt` is in the code's prose and names, or in a page."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LIST = Path(__file__).with_name("forbidden_words.txt")
PAGES = ("docs/**/*.md", "*.md", "deploy/**/*.yaml", "deploy/**/*.yml")
NOT_READ = ("CHANGELOG.md",)  # It tells what was said before.


def forbidden() -> dict[re.Pattern[str], str]:
    lines = [line for line in LIST.read_text().splitlines() if not line.startswith("#")]
    pairs = [line.split(" | ") for line in lines]
    return {
        re.compile(rf"\b{re.escape(word).replace(chr(92) + '*', '[a-z]*')}\b"): better
        for word, better in pairs
    }


FORBIDDEN = forbidden()


def found_in(text: str) -> list[str]:
    return [
        f"{match[0]!r}, write: {better}"
        for word, better in FORBIDDEN.items()
        if (match := word.search(text))
    ]


def prose_of(source: str) -> Iterator[str]:
    """Comments, names in words, and all strings that are docstrings or the text of a call."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type in (tokenize.COMMENT, tokenize.NAME):
            yield token.string.replace("_", " ").lower()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))):
                yield " ".join(text.split()).lower()
            case ast.Call(args=[ast.Constant(value=str(text)), *_]):
                yield text.lower()


def tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", *(f":(glob){one}" for one in patterns)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split() if name not in NOT_READ]


def test_the_code_says_it_in_plain_words() -> None:
    files = tracked("**/*.py")
    told = [
        f"{file.relative_to(ROOT)}: {found}"
        for file in files
        for text in (file.stem.replace("_", " "), *prose_of(file.read_text()))
        for found in found_in(text)
    ]

    assert files
    assert not told, "\n".join(sorted(set(told)))


def test_the_pages_say_it_in_plain_words() -> None:
    pages = tracked(*PAGES)
    told = [
        f"{page.relative_to(ROOT)}: {found}"
        for page in pages
        for found in found_in(" ".join(re.sub("`[^`]*`", "", page.read_text()).split()).lower())
    ]

    assert pages
    assert not told, "\n".join(told)


@pytest.mark.parametrize(
    "source",
    [
        "# What flies may land.\n",
        "def test_in_good_company() -> None: ...\n",
        '"""A record that shares its guilt."""\n',
        'log.info("come again")\n',
    ],
)
def test_a_forbidden_word_is_found(source: str) -> None:
    assert [found for text in prose_of(source) for found in found_in(text)]
