"""The tables in docs/ that follow the code, and cli.md: `python -m tests.docs.tables` writes them.

Of the configuration and the log messages, the last column is written by hand, and kept; a new row's
is empty, and a test fails, until somebody writes it. The metrics say themselves what they mean.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from schemas.configuration.config import Config
from tests.deploy.declared_metrics import declared
from tests.docs import cli_page
from tests.docs.log_messages import messages

DOCS = Path(__file__).parents[2] / "docs"
TABLE = re.compile(r"(<!-- table (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
MESSAGES = "messages_"  # What the name of such a table begins with; the room follows.
HTTP = "http_"  # As above; the dialect follows.
PLAIN_MAX = 99_999  # Up to a port's number; what is larger gets underscores, as TOML has them.
OPENAPI = json.loads((DOCS.parent / "schemas" / "generated" / "openapi.json").read_text())
SCHEMA = Config.model_json_schema()


def configuration(section: str, meanings: Mapping[str, str]) -> list[list[str]]:
    model = SCHEMA["$defs"][section]
    rows = [["key", "type", "default", "meaning"]]
    for key, shape in model["properties"].items():
        default = "required" if key in model.get("required", ()) else default_of(shape)
        rows.append([f"`{key}`", type_of(shape), default, meanings.get(f"`{key}`", "")])
    return rows


def metrics(prefix: str) -> list[list[str]]:
    rows = [["metric", "type", "labels", "meaning"]]
    for name, metric in sorted(declared().items()):
        if name.startswith(f"ampgate_{prefix}"):
            labels = ", ".join(f"`{label}`" for label in metric.labels)
            rows.append([f"`{name}`", metric.type, labels or "none", metric.says])
    return rows


def log_messages(room: str, meanings: Mapping[str, str]) -> list[list[str]]:
    rows = [["message", "level", "fields", "what happened, and what to do"]]
    for one in messages().values():
        if one.room == room:
            name = f"`{one.text}`"
            fields = ", ".join(f"`{field}`" for field in one.fields) or "none"
            rows.append([name, " or ".join(one.levels), fields, meanings.get(name, "")])
    return rows


def http(dialect: str) -> list[list[str]]:
    """The requests of a dialect, or of the operations, as the OpenAPI document has them."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for path, methods in OPENAPI["paths"].items():
        for method, one in methods.items():
            if one["tags"] == [dialect]:
                bodies = one.get("requestBody", {}).get("content", {})
                told = (", ".join(f"`{kind}`" for kind in bodies), *_answers(one["responses"]))
                alike.setdefault(told, []).append(f"`{method.upper()} {path}`")
    rows = [
        [", ".join(requests), *(cell or "none" for cell in told)]
        for told, requests in alike.items()
    ]
    return [["requests", "body", "success", "other answers"], *rows]


def results() -> Any:  # noqa: ANN401  JSON of our own.
    """Of `make bench`."""
    return json.loads((DOCS.parent / "benchmarks" / "results.json").read_text())


def loads() -> list[list[str]]:
    """Other loads, and what grows with them; both ratios, of which the goals judge one."""
    heading = ["load", "µs of CPU an event", "times Go's", "of the base's", "times the base"]
    rows = [[*heading, "base"]]
    found = results()["scaling"]
    to_go = {row["name"]: row.get("ratio_go") for row in found}
    for row in found:
        if row["ratio"]:
            ours, base = to_go[row["name"]], to_go.get(row["ratio_to"])
            of_base = f"{round(ours / base, 2):g}" if ours and base else ""
            costs, ratio = f"{row['microseconds_per_event']:g}", f"{row['ratio']:g}"
            go = f"{ours:g}" if ours else ""
            rows.append([row["name"], costs, go, of_base, ratio, row["ratio_to"]])
    return rows


def worst() -> list[list[str]]:
    """The dearest request that was found, by encoding and dialect."""
    heading = ["encoding or dialect", "dearest request", "µs a byte", "times a usual one"]
    return [heading] + [
        [row["name"], row["request"], f"{row['microseconds_per_byte']:g}", f"{row['ratio']:g}"]
        for row in results()["worst"]
    ]


def sizing() -> list[list[str]]:
    """What users choose machines by."""
    measured = f"measured {results()['date'][:10]}"
    rows = [[measured, "µs of CPU an event", "events/s of a core", "times Go's"]]
    for row in results()["rows"]:
        if row["ratio"]:
            events = f"{row['events_per_second_a_core']:,}"
            costs = f"{row['microseconds_per_event']:g}"
            rows.append([row["name"], costs, events, f"{row['ratio']:g}"])
    return rows


# Tables of `benchmarks/results.json`.
MEASURED = {"sizing": sizing, "loads": loads, "worst": worst}


def _answers(statuses: Iterable[str]) -> tuple[str, str]:
    success, *others = statuses
    return success, ", ".join(others)


def type_of(shape: Mapping[str, Any]) -> str:
    if "anyOf" in shape:
        kinds = [type_of(kind) for kind in shape["anyOf"] if kind.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    if "$ref" in shape:
        return type_of(SCHEMA["$defs"][shape["$ref"].rpartition("/")[2]])
    if "enum" in shape:
        return ", ".join(f"`{value}`" for value in shape["enum"])
    if "const" in shape:
        return f"`{shape['const']}`"
    if shape.get("type") == "array":
        return f"list of {type_of(shape.get('items', {}))}s"
    names = {"object": "table", "boolean": "true or false"}
    kind = str(shape.get("type", "value"))
    return names.get(kind, kind)


def default_of(shape: Mapping[str, Any]) -> str:
    default = shape.get("default")
    if default is None:
        return "none"
    if isinstance(default, int) and not isinstance(default, bool) and default > PLAIN_MAX:
        return f"`{default:_}`"
    return f"`{json.dumps(default)}`"


def written(document: str) -> str:
    """The document with its tables as they ought to be."""
    return TABLE.sub(_written_table, document)


def _written_table(found: re.Match[str]) -> str:
    opening, name, table, ending = found.groups()
    cells = [line.strip("| ").split(" | ") for line in table.splitlines()]
    meanings = {row[0]: row[-1] for row in cells if len(row) == 4}
    if name.startswith(MESSAGES):
        rows = log_messages(name.removeprefix(MESSAGES), meanings)
    elif name.startswith(HTTP):
        rows = http(name.removeprefix(HTTP))
    elif name in MEASURED:
        rows = MEASURED[name]()
    else:
        rows = metrics(name) if name.islower() else configuration(name, meanings)
    head, *body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([opening.rstrip("\n"), head, "|---" * len(rows[0]) + "|", *body, ending])


def main() -> None:
    (DOCS / "cli.md").write_text(cli_page.page())
    for file in sorted(DOCS.rglob("*.md")):
        document = file.read_text()
        if written(document) != document:
            file.write_text(written(document))


if __name__ == "__main__":
    main()
