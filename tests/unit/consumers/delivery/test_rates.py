"""No window of time sees more of one id than its rate allows, whatever else is in a batch."""

from hypothesis import given
from hypothesis import strategies as st

from consumers.delivery.clocks import Clocks
from consumers.delivery.destination import Encoded, Rate
from consumers.delivery.outcomes import Id
from consumers.delivery.rates import Meter

RATE = Rate(records=100, seconds=30.0, burst=40)
BATCH_MAX = 20
steps = st.lists(
    st.tuples(
        st.floats(0.0, 5.0), st.lists(st.sampled_from("abc"), min_size=1, max_size=BATCH_MAX)
    ),
    max_size=60,
)


def encoded(user: str) -> Encoded:
    return Encoded(b"", user, user_id=user)


@given(steps)
def test_who_waits_when_told_to_never_exceeds_the_rate(wanted: list[tuple[float, str]]) -> None:
    meter, clocks, now = Meter(RATE, BATCH_MAX), Clocks(), 0.0
    sent: list[tuple[float, str]] = []
    for seconds, users in wanted:
        now += seconds
        clocks.wake(now)
        going = [user for user in users if clocks.of(Id("user", user)) is None]
        for identity, until in meter.sent([encoded(user) for user in going], now):
            clocks.hold(identity, until, "pace")
        sent += [(now, user) for user in going]
    for at, user in sent:
        window = [1 for then, whose in sent if whose == user and at <= then < at + RATE.seconds]
        # Once in a request does not count: it is too seldom to matter at any real pace.
        singles = len({then for then, whose in sent if whose == user})
        assert len(window) <= RATE.records + singles


def test_at_the_rate_itself_nobody_waits() -> None:
    meter = Meter(RATE, BATCH_MAX)
    pace = RATE.interval * 2

    assert not any(list(meter.sent([encoded("a")] * 2, n * pace)) for n in range(1000))


def test_one_user_who_comes_too_often_waits_and_others_do_not() -> None:
    meter = Meter(RATE, BATCH_MAX)
    held = {
        identity
        for n in range(10)
        for identity, _ in meter.sent([encoded("hot")] * 10 + [encoded(f"cold-{n}")] * 2, n * 0.1)
    }

    assert held == {Id("user", "hot")}
