"""Nobody waits for held users, and few users get all that their rate allows."""

from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.destinations.amplitude.events import EVENTS
from tests.unit.consumers.delivery.virtual_shell import HOLD_SECONDS, VirtualShell

OF_ONE_USER = 12_000
SENT_AT_ONCE = EVENTS.burst


def test_few_users_with_much_traffic_are_delivered_at_their_rate() -> None:
    users = ["ann", "bob"]
    shell = VirtualShell(users * OF_ONE_USER, memory=3_000_000, is_throttled=lambda _: False)
    began = shell.now
    at_their_rate = (OF_ONE_USER - SENT_AT_ONCE) * EVENTS.interval

    shell.run(100.0)

    assert shell.delivered == dict.fromkeys(users, OF_ONE_USER)
    assert max(shell.delivered_at.values()) - began < 1.25 * at_their_rate
    assert shell.parked > 0, "memory had room for all"


@settings(max_examples=10)
@given(
    users=st.integers(2, 300),
    share=st.integers(1, 99),
    memory=st.sampled_from([300_000, 1_000_000]),
)
def test_who_is_not_held_does_not_wait_for_who_is(users: int, share: int, memory: int) -> None:
    def is_throttled(user: str) -> bool:
        return int(user[5:]) * 37 % 100 < share

    everybody = [f"user-{number}" for number in range(users)]
    rounds = 1 + 1500 // users
    shell = VirtualShell(everybody * rounds, memory=memory, is_throttled=is_throttled)
    free = [user for user in everybody if not is_throttled(user)]

    shell.run(HOLD_SECONDS / 2)
    assert {user: shell.delivered[user] for user in free} == dict.fromkeys(free, rounds)

    shell.run(2 * HOLD_SECONDS)
    assert shell.delivered == dict.fromkeys(everybody, rounds)
