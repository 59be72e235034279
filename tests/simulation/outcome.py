"""What must be true in the end: of every record, of every user, of every documented limit."""

from typing import TYPE_CHECKING

from ampgate.lab.simulators.properties import apply_operations
from consumers.delivery.lanes import Letter
from schemas.letters import TRUNCATED
from schemas.records import RawRecord
from tests.simulation.population import AMPLITUDE
from tests.simulation.subjects import Subject

if TYPE_CHECKING:
    from tests.simulation.world import World


def check_dead_letter(world: "World", name: str, letter: Letter) -> None:
    origin, record = world.origins[name], letter.entry.record
    assert record.value == origin.value, f"{name}: the bytes of a dead letter were touched"
    if origin.kind == "good":
        assert world.is_bad_deploy, f"{name} is good and died: {letter.reason}, {letter.detail}"
        return
    expected = world.population.expected_reasons(origin.kind)
    if not world.is_bad_deploy:
        assert letter.reason in expected, f"{name} is {origin.kind} and died of {letter.reason}"


def check_form(form: RawRecord, letter: Letter) -> None:
    """What the dead letter topic has of it: all, or the beginning, and of how many bytes."""
    value, original = form.value, letter.entry.record.value
    told = dict(form.headers).get(TRUNCATED)
    if told is None:
        assert value == original, "a dead letter was cut, and does not say so"
    else:
        assert told == str(len(original or b"")).encode(), "a cut letter says another size"
        assert (original or b"").startswith(value or b""), "a cut letter has other bytes"


def check_outcome(world: "World") -> None:
    _check_fates(world)
    _check_limits(world)
    if not world.subject.is_aampe:
        _check_properties(world)
    if world.is_bad_deploy:
        _check_bad_deploy(world)


def why_it_is_pending(world: "World") -> str:
    lines = []
    for place, log in world.log.places.items():
        if not log.is_drained:
            lines.append(f"{place} committed {log.committed} of {log.end}, begins {log.begin}")
    for process in world.processes:
        delivery = process.delivery
        lines.append(
            f"{delivery.snapshot()}, room {delivery.has_room}, full {delivery.full()}, "
            f"wants {delivery.wants(process.now)}, scanning {process.scanning}, "
            f"wakes at {delivery.wakes_at()}, now {process.now}"
        )
    return "\n".join(lines)


def _check_fates(world: "World") -> None:
    for name, origin in world.origins.items():
        if origin.n >= world.records or name in world.lost:
            continue
        is_stored, is_dead = name in world.far_end.stored, name in world.dead
        if world.suppressing.may_drop(name) and not (is_stored or is_dead):
            continue
        match origin.kind:
            case "skipped":
                assert not is_stored, f"{name} has no user and was stored"
            case "good":
                is_excused = world.is_bad_deploy and is_dead
                assert is_stored or is_excused, f"{name} is good and was not stored"
            case _:
                assert is_dead, f"{name} is {origin.kind} and did not die"
                is_excused = world.is_bad_deploy and origin.kind in AMPLITUDE
                assert not is_stored or is_excused, f"{name} is {origin.kind} and was stored"


def _check_limits(world: "World") -> None:
    """Zero requests that break a documented limit."""
    broken = world.far_end.model.violations.first
    if world.group.is_disturbed or world.far_end.is_lying:
        # The process that was asked to wait may have ended, or the answer did not name the user.
        broken = [one for one in broken if " was held and came " not in one]
        broken = [one for one in broken if "before Retry-After had passed" not in one]
    assert not broken, f"the far end complains: {broken[:3]}"
    assert not world.far_end.model.stats().get("property_updates_ignored")


def _check_properties(world: "World") -> None:
    """One by one, in order, is what every user must have come to."""
    subject, far_end = world.subject, world.far_end
    expected: dict[str, dict[str, object]] = {}
    for name, origin in sorted(world.origins.items(), key=lambda known: known[1].n):
        if origin.changes and name in far_end.stored:
            state = expected.setdefault(origin.key, {})
            apply_operations(state, origin.changes, subject.operations)
    for key, state in expected.items():
        if key not in far_end.repeated:
            found = far_end.model.properties(_owner(subject, key))
            assert found == state, f"{key} has {found} and should have {state}"


def _owner(subject: Subject, key: str) -> dict[str, str]:
    if subject.kind == "group":
        group_type, _, value = key.partition(":")
        return {"group_type": group_type, "group_value": value}
    return {"user_id": key}


def _check_bad_deploy(world: "World") -> None:
    dead = (
        world.dead.keys() - world.lost
    )  # The bytes that a parked reference leads to were deleted by retention.
    good = [name for name in dead if world.origins[name].kind == "good"]
    in_flight = world.limits.concurrency * world.batch_max
    bound = (
        world.limits.policy.rejects_min + in_flight + (world.healed - world.born) / 7.0
    )  # Probes.
    assert len(good) <= bound, f"{len(good)} good records died of a bad deploy"
