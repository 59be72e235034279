"""What a test waits for in a log is a text of the code: a reworded one is found here, not there."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("ampgate", "consumers", "gateway", "schemas")
WAITING = {"says", "until_it_says", "said", "_said"}


def test_what_a_test_waits_for_is_said_somewhere() -> None:
    trees = [ast.parse(file.read_text()) for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    texts = "\n".join(text for tree in trees for text in texts_of(tree))
    waited = [
        (str(file.relative_to(ROOT)), words)
        for file in sorted((ROOT / "tests" / "kafka").rglob("*.py"))
        for words in waited_for(ast.parse(file.read_text()))
    ]
    assert len(waited) > 10
    assert [(file, words) for file, words in waited if words not in texts] == []


def texts_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def waited_for(tree: ast.AST) -> Iterator[str]:
    """The sentences among them; a single word is what a field has in that test."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), args=given):
                if name in WAITING:
                    yield from (text for one in given for text in texts_of(one) if " " in text)
