"""The rows of plans and changes: each encodes its events, so none shows the cost of a refusal."""

from benchmarks.goals import GOALS
from benchmarks.plans import encoders, event, record, usual_plan
from consumers.delivery import border
from consumers.delivery.destination import Encoded
from schemas.plans.checking import Held
from schemas.topics import Kind


def test_each_row_encodes_an_event_that_keeps_to_the_plan() -> None:
    plan = usual_plan()
    assert plan.violation(Kind.EVENT, event(1)) is None

    for name, part in encoders(Held(plan, blocks=True)).items():
        found = border.encode_all(part, [record(n, event(n)) for n in range(2)])
        assert all(isinstance(one, Encoded) for one in found), name


def test_each_goal_of_an_encoder_has_its_row() -> None:
    rows = encoders(Held(usual_plan(), blocks=False))

    assert {name for name, _ in GOALS if name.startswith("encode")} <= set(rows)
