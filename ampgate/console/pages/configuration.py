"""Configuration: what is in force, with every secret masked."""

from collections.abc import Iterator
from dataclasses import dataclass

from fastapi import APIRouter
from pydantic import BaseModel, SecretStr
from starlette.responses import Response

from ampgate.console.desk import Visiting
from schemas.configuration.config import Config
from schemas.configuration.file import SECRET, is_here

router = APIRouter()
MASKED, NOT_HERE = "••••••", "not known to the console"
LISTED_MAX = 12  # Entries of a list; `suppressed_user_ids` may be long, and are people.
PRIVATE = frozenset({"suppressed_user_ids"})


@dataclass(frozen=True, slots=True)
class Line:
    """`given` is false for a default."""

    key: str
    value: str
    given: bool


@router.get("/configuration")
async def show(visit: Visiting) -> Response:
    return visit.page("configuration.html", {"sections": list(sections(visit.config))})


def sections(config: Config) -> Iterator[tuple[str, list[Line]]]:
    """In the file's order; of a list each entry is a section."""
    for name in type(config).model_fields:
        value = getattr(config, name)
        if isinstance(value, BaseModel):
            yield f"[{name}]", lines_of(value)
        elif isinstance(value, tuple):
            for entry in value:
                yield f"[[{name}]]", lines_of(entry)


def lines_of(section: BaseModel) -> list[Line]:
    fields, given = type(section).model_fields, section.model_fields_set
    return [Line(key, in_words(key, getattr(section, key)), key in given) for key in fields]


def in_words(key: str, value: object) -> str:
    """As TOML has it, nearly; what is or may be a secret is masked, whatever its type."""
    match value:
        case None | () | []:
            return "none"
        case SecretStr():
            return MASKED if is_here(value) else NOT_HERE
        case str() if SECRET.search(key) and not key.endswith("_url"):
            return MASKED
        case bool():
            return str(value).lower()
        case BaseModel():
            own = ((one, getattr(value, one)) for one in type(value).model_fields)
            return "{ " + ", ".join(f"{k} = {in_words(k, v)}" for k, v in own) + " }"
        case tuple() | list() if key in PRIVATE:
            return f"{len(value)} entries"
        case tuple() | list():
            more = ", …" if len(value) > LISTED_MAX else ""
            return "[" + ", ".join(in_words(key, one) for one in value[:LISTED_MAX]) + more + "]"
        case dict():
            return "{ " + ", ".join(f"{k} = {in_words(str(k), v)}" for k, v in value.items()) + " }"
    return str(value)
