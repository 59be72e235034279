"""The pulls that `ampgate dev --pulls FILE` runs, each with a simulator of its system. Pure."""

import re
import tomllib
from collections.abc import Mapping

from ampgate.errors import CommandError
from schemas.vendors import SYSTEMS

FIRST_PORT = 9103  # After those of the destinations' simulators.
ADMIN_PORT = 9193  # Kafka has the usual one, 9092.
HEADER = re.compile(r"^[ \t]*\[\[\s*pulls\s*\]\][ \t]*(#.*)?$", re.MULTILINE)


def simulators_of(text: str) -> Mapping[str, int]:
    """The simulators that its pulls need, each with its port; a `base_url` needs none."""
    kinds = [SYSTEMS[str(one["type"])].simulator for one in _sections(text) if _is_simulated(one)]
    return {kind: FIRST_PORT + number for number, kind in enumerate(dict.fromkeys(kinds))}


def pointed_there(text: str) -> str:
    """The file's text, in which each pull without a `base_url` asks its simulator."""
    ports, sections = simulators_of(text), iter(_sections(text))

    def with_address(header: re.Match[str]) -> str:
        section = next(sections)
        if not _is_simulated(section):
            return header[0]
        port = ports[SYSTEMS[str(section["type"])].simulator]
        return f'{header[0]}\nbase_url = "http://127.0.0.1:{port}"'

    admin = f'[pull]\nadmin_host = "127.0.0.1"\nadmin_port = {ADMIN_PORT}\n'
    return f"{admin}\n{HEADER.sub(with_address, text)}"


def _sections(text: str) -> list[dict[str, object]]:
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CommandError(f"--pulls: {error}") from error
    sections = read.pop("pulls", [])
    if read or not sections or len(sections) != len(HEADER.findall(text)):
        raise CommandError("--pulls: the file has to have [[pulls]] sections, and nothing else")
    return list(sections)


def _is_simulated(section: Mapping[str, object]) -> bool:
    """A type that there is none of is told when the configuration is read."""
    return "base_url" not in section and section.get("type") in SYSTEMS
