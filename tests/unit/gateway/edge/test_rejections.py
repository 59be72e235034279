"""Of what is rejected, no more becomes dead letters than a source's rate allows."""

from gateway.dialects.shapes import Context, Rejection
from gateway.edge.admission import TokenBucket
from gateway.edge.rejections import dead_letters
from schemas.strictness import Defect
from tests.unit.gateway.calls import ROOM

CONTEXT = Context([("source", b"s")], 1000, None, lambda ip: ip, keeps_ip=True, room=ROOM)
REJECTED = [Rejection(n, Defect("not_json", "", ""), b"%d" % n) for n in range(5)]


def test_the_first_that_the_rate_allows_are_kept_and_a_second_later_as_many_again() -> None:
    rate = TokenBucket(3.0, now=0.0)
    kept = [dead_letters(REJECTED, CONTEXT, rate, now) for now in (0.0, 0.0, 1.0)]
    assert [[one.value for one in some] for some in kept] == [
        [b"0", b"1", b"2"],
        [],
        [b"0", b"1", b"2"],
    ]
