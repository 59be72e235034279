"""The plans that a configuration names."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from schemas.configuration.config import Config, ConfigError, Delivery, Source
from schemas.plans.document import PlanError
from schemas.plans.plan import Plan, plan_at

# A metric of the edge and of the delivery: its name, its meaning, its labels.
VIOLATIONS = (
    "ampgate_plan_violations",
    "Records that do not keep to their source's tracking plan.",
    ("source", "event_type_known", "reason"),
)


@dataclass(frozen=True, slots=True)
class Held:
    """Records are held to this plan: violations are counted, or make them dead as well.

    Equal for as long as the file has the same bytes.
    """

    plan: Plan
    blocks: bool


def held(section: Source | Delivery) -> Held | None:
    """None without a plan; `ConfigError` with one sentence for each mistake in it.

    That of `[delivery]` is for records that came through no edge and no pull.
    """
    if section.plan is None or section.plan_mode == "off":
        return None
    return Held(_read(section.plan, _name_of(section)), section.plan_mode == "block")


def check_plans(sections: Iterable[Source | Delivery]) -> None:
    """`ConfigError` if a plan cannot be used."""
    for section in sections:
        held(section)


def classified(config: Config, classes: tuple[str, ...]) -> Iterator[str]:
    """The paths of all properties that one of the plans has in these classes."""
    sections: list[Source | Delivery] = [config.delivery, *config.sources]
    for section in sections:
        if section.plan is not None:
            yield from _read(section.plan, _name_of(section)).classified(classes)


def _read(path: Path, section: str) -> Plan:
    try:
        return plan_at(path)
    except PlanError as error:
        said = [f"{section}: plan {path}: {line}" for line in str(error).splitlines()]
        raise ConfigError("\n".join(said)) from error


def _name_of(section: Source | Delivery) -> str:
    return f"source {section.name}" if isinstance(section, Source) else "delivery"
