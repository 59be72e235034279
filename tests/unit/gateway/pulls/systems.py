"""Polled systems that answer what a test says, and the pulls of each."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.pulls import amperity, amplemarket, amplemarket_exclusions, amplitude_cohort
from gateway.pulls.pull import Answer, Pull
from gateway.pulls.webhooks import Named, Positions
from schemas.vendors.amperity import AmperityPull
from schemas.vendors.amplemarket import AmplemarketExclusionsPull, AmplemarketPull
from schemas.vendors.amplitude import AmplitudeCohortPull

EMPTY = Answer(200, {}, b"{}")
EVERY = {"name": "p", "every": "1h"}
AMPLEMARKET = {**EVERY, "type": "amplemarket", "api_key": "k"}


class Silent:
    """No webhook ever came."""

    async def named(self, since: Positions) -> Named:
        return Named([], since, is_all=True)


class Answering:
    """An API that answers each path with its answer, else with the one that is left."""

    def __init__(
        self,
        answer: Answer = EMPTY,
        by_path: Mapping[str, Answer] | None = None,
        file: bytes = b"",
    ) -> None:
        self._answer = answer
        self._by_path = by_path or {}
        self._file = file
        self.asked: list[tuple[str, Sequence[tuple[str, str]]]] = []

    async def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> Answer:
        self.asked.append((path, query))
        return self._by_path.get(path, self._answer)

    async def download(self, path: str, into: Path) -> Answer:
        if self._answer.status == 200:
            await asyncio.to_thread(into.write_bytes, self._file)
        return self._answer


def profiles(**keys: object) -> Pull:
    chosen = {"tenant": "acme", "token": "t", "index": "i", "user_id": "email"}
    configured = AmperityPull.model_validate({**EVERY, "type": "amperity", **chosen, **keys})
    return amperity.pull(configured, Path(), Silent())


def tasks(webhooks: object = None, **keys: object) -> Pull:
    configured = AmplemarketPull.model_validate({**AMPLEMARKET, **keys})
    heard = webhooks if isinstance(webhooks, Silent) else Silent()
    return amplemarket.pull(configured, Path(), heard)


def exclusions() -> Pull:
    given = {**AMPLEMARKET, "type": "amplemarket-exclusions"}
    configured = AmplemarketExclusionsPull.model_validate(given)
    return amplemarket_exclusions.pull(configured, Path(), Silent())


def cohort(directory: Path) -> Pull:
    given = {"api_key": "k", "secret_key": "s", "cohort": "c", "property": "is_vip"}
    configured = AmplitudeCohortPull.model_validate({**EVERY, "type": "amplitude-cohort", **given})
    return amplitude_cohort.pull(configured, directory, Silent())
