"""A destination with its faults, still pure: what a client meets at `now`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

from ampgate.lab.simulators.fault_rules import Faults
from ampgate.lab.simulators.faults import Script
from ampgate.lab.simulators.model import Answer, Model, Request, Violations
from ampgate.lab.simulators.spool import Show


@dataclass(frozen=True, slots=True)
class Reaction:
    """An answer, or a broken connection, after a delay."""

    answer: Answer | Literal["reset"]
    delay_seconds: float = 0.0


class Simulator:
    def __init__(self, model: Model) -> None:
        self.model = model
        self._script: Script | None = None
        self._requests: dict[str, Counter[str]] = {}
        self._faults_applied = 0

    def set_faults(self, faults: Faults, now: float) -> None:
        """Replaces the script. `ValueError`: an effect this destination does not have."""
        always = {"answer", "html", "empty", "delay", "reset"}
        for index, rule in enumerate(faults.rules):
            if rule.effect.kind not in always | self.model.effects:
                where = f"rules.{index}.effect"
                raise ValueError(f"{where}: {self.model.kind} has no {rule.effect.kind!r}")
        self._faults_applied = self._all_applied()
        self._script = Script(faults, now) if faults.rules else None

    def respond(self, request: Request, now: float) -> Reaction:
        reaction = self._react(request, now)
        status = "reset" if reaction.answer == "reset" else str(reaction.answer.status)
        counter = self._requests.get(request.path)
        if counter is None:  # An unknown path, or the first request of a known one.
            counter = self._requests.setdefault(self._place(request.path), Counter())
        counter[status] += 1
        return reaction

    def show(self, now: float) -> Show | None:
        """How the read side shows what was accepted now, where a fault changes that."""
        if self._script is None or not self._script.changes_what_is_shown:
            return None
        return partial(self._script.shown, now=now)

    def stats(self) -> dict[str, object]:
        violations: Violations = self.model.violations
        return {
            "kind": self.model.kind,
            "requests": {path: dict(counts) for path, counts in self._requests.items()},
            "faults_applied": self._all_applied(),
            **self.model.stats(),
            "violations": violations.first,
            "violations_total": violations.total,
        }

    def properties(self, owner: Mapping[str, str]) -> dict[str, object] | None:
        return self.model.properties(owner)

    def reset(self) -> None:
        """As new: nothing received, no faults."""
        self.model.reset()
        self._script = None
        self._requests.clear()
        self._faults_applied = 0

    def _react(self, request: Request, now: float) -> Reaction:
        if self._script is None:
            return Reaction(self.model.answer(request, now))
        fate = self._script.fate(request.path, lambda: self.model.records(request), now)
        if fate is None:
            return Reaction(self.model.answer(request, now))
        if isinstance(fate.ending, Answer):
            return Reaction(fate.ending, fate.delay_seconds)
        if fate.ending == "reset before":
            return Reaction("reset", fate.delay_seconds)
        answer = self.model.answer(request, now, fate.conditions)
        if fate.cut_bytes and answer.status == 200:
            answer = replace(answer, body=answer.body[: -fate.cut_bytes])
        # A lost reply is one to something that was stored; a refusal is heard.
        if fate.ending == "reset after" and 200 <= answer.status < 300:
            return Reaction("reset", fate.delay_seconds)
        return Reaction(answer, fate.delay_seconds)

    def _all_applied(self) -> int:
        return self._faults_applied + (self._script.applied if self._script is not None else 0)

    def _place(self, path: str) -> str:
        """Unknown paths are counted together, past the first hundred."""
        return path if len(self._requests) < 100 else "other"
