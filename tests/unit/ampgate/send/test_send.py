"""`ampgate send` to an edge that accepts, rejects, and is away: all in order, none lost."""

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path

import orjson
import pytest

from ampgate.errors import CommandError
from ampgate.send.lines import LANES, BadLine, Line, open_lines, parse_line, read_lines
from ampgate.send.posting import NO_ANSWER, Answer
from ampgate.send.refusals import ALIKE_MAX
from ampgate.send.send import BATCH_EVENTS, Sender


class Edge:
    """Answers each request with the next of `script`, then accepts all but events without ids."""

    def __init__(self, *script: Answer, refuse: bytes = b"never") -> None:
        self.script = list(script)
        self.refuse = refuse
        self.bodies: list[bytes] = []
        self.stored: list[dict[str, object]] = []

    async def post(self, body: bytes) -> Answer:
        self.bodies.append(body)
        if self.script:
            return self.script.pop(0)
        if self.refuse in body:
            return Answer(413, b"too large")
        events = [orjson.loads(line) for line in body.split(b"\n")]
        rejected = [
            {"index": i, "reason": "missing_id", "message": "no user_id"}
            for i, event in enumerate(events)
            if "user_id" not in event
        ]
        self.stored += [event for event in events if "user_id" in event]
        receipt = {"accepted": len(events) - len(rejected), "rejected": rejected}
        return Answer(202 if len(rejected) < len(events) else 422, orjson.dumps(receipt))


class Sending:
    """One run of a sender, without waiting; what it reported and how long it would have slept."""

    def __init__(self, edge: Edge) -> None:
        self.reported: dict[int, str] = {}
        self.slept: list[float] = []
        self.waited_for: list[str] = []
        self.sender = Sender(
            edge.post, self.reported.__setitem__, sleep=self._sleep, on_wait=self.waited_for.append
        )

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    async def run(self, *events: Mapping[str, object] | bytes) -> None:
        await self.sender.send(lines_of(*events))


def lines_of(*events: Mapping[str, object] | bytes) -> Iterator[Line | BadLine]:
    for number, event in enumerate(events, 1):
        yield parse_line(number, event if isinstance(event, bytes) else orjson.dumps(event))


def event_of(text: bytes) -> dict[str, object]:
    line = parse_line(1, text)
    assert isinstance(line, Line)
    event: dict[str, object] = orjson.loads(line.event)
    return event


def test_a_line_with_insert_id_stays_as_it_is() -> None:
    text = b'{"user_id": "u",  "insert_id":"i", "n": 123456789012345678901234567890}'
    line = parse_line(7, text)
    assert isinstance(line, Line)
    assert (line.number, line.event) == (7, text)


@pytest.mark.parametrize(
    "text", [b'{"user_id":"u"}', b'  { "user_id" : "u" }', b'{"insert_id":null,"user_id":"u"}']
)
def test_a_line_without_insert_id_gets_one_of_its_own(text: bytes) -> None:
    first, second = event_of(text), event_of(text)
    assert first["user_id"] == "u"
    assert first["insert_id"]
    assert first["insert_id"] != second["insert_id"]


def test_an_empty_object_gets_an_insert_id_too() -> None:
    assert list(event_of(b"{}")) == ["insert_id"]


@pytest.mark.parametrize("text", [b"{", b"[]", b"3", b'"x"', b'{"a":NaN}', b"\xff"])
def test_a_bad_line_is_named(text: bytes) -> None:
    line = parse_line(3, text)
    assert isinstance(line, BadLine)
    assert line.number == 3


def test_a_user_has_one_lane_and_many_users_have_all() -> None:
    lanes = set()
    for user in range(100):
        first, second = lines_of({"user_id": f"u{user}"}, {"user_id": f"u{user}", "n": 2})
        assert isinstance(first, Line)
        assert isinstance(second, Line)
        assert first.lane == second.lane
        lanes.add(first.lane)
    assert lanes == set(range(LANES))


@pytest.mark.parametrize("suffix", ["ndjson", "gz"])
def test_lines_are_numbered_as_in_the_file(tmp_path: Path, suffix: str) -> None:
    content = b'\xef\xbb\xbf{"user_id":"a","insert_id":"1"}\r\n\n \nbad\n{"device_id":"b"}'
    file = tmp_path / f"events.{suffix}"
    file.write_bytes(gzip.compress(content) if suffix == "gz" else content)
    with open_lines(file) as (_raw, plain):
        lines = list(read_lines(plain))
    assert [line.number for line in lines] == [1, 4, 5]
    assert isinstance(lines[1], BadLine)


def test_a_file_cut_short_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "events.gz"
    file.write_bytes(gzip.compress(b'{"user_id":"a"}\n' * 1000)[:-10])
    with open_lines(file) as (_raw, plain), pytest.raises(CommandError, match="cannot be read"):
        list(read_lines(plain))


async def test_the_order_of_each_user_is_kept_and_nothing_is_lost() -> None:
    edge = Edge(Answer(503, b"", 2.0), Answer(NO_ANSWER, b"reset"), Answer(429, b""))
    events = [{"user_id": f"u{n % 7}", "n": n} for n in range(BATCH_EVENTS * 9)]
    sending = Sending(edge)
    await sending.run(*events)
    assert sending.sender.summary.accepted == len(events)
    assert sending.sender.summary.retries == 3
    assert max(sending.slept) >= 2.0
    for user in range(7):
        numbers = [event["n"] for event in edge.stored if event["user_id"] == f"u{user}"]
        assert numbers == [n for n in range(len(events)) if n % 7 == user]
    assert all(body.count(b"\n") < BATCH_EVENTS for body in edge.bodies)


async def test_a_retry_sends_the_same_bytes() -> None:
    edge = Edge(Answer(NO_ANSWER, b"the answer was lost"))
    await Sending(edge).run({"user_id": "u"})
    assert len(edge.bodies) == 2
    assert edge.bodies[0] == edge.bodies[1]


async def test_what_the_edge_rejects_is_reported_by_its_line() -> None:
    sending = Sending(Edge())
    await sending.run({"user_id": "u"}, b"nonsense", {"event_type": "x"}, {"user_id": "u"})
    assert sending.reported.keys() == {2, 3}
    assert sending.reported[3] == "missing_id: no user_id"
    summary = sending.sender.summary
    assert (summary.lines, summary.accepted, summary.rejected) == (4, 2, 2)


async def test_a_batch_refused_as_a_whole_is_split_until_the_line_is_found() -> None:
    edge = Edge(refuse=b"huge")
    sending = Sending(edge)
    await sending.run(*({"user_id": "u", "n": "huge" if n == 5 else n} for n in range(20)))
    assert sending.reported == {6: "413: too large"}
    assert [event["n"] for event in edge.stored] == [n for n in range(20) if n != 5]


class Proxy(Edge):
    """No edge is behind it: it refuses whatever it gets."""

    async def post(self, body: bytes) -> Answer:
        self.bodies.append(body)
        return Answer(400, b"no such service")


async def test_who_refuses_everything_alike_ends_it_with_one_message() -> None:
    edge = Proxy()
    sending = Sending(edge)
    with pytest.raises(CommandError, match=r"refused alike, .* no such service"):
        await sending.run(*({"user_id": f"u{n}"} for n in range(12_000)))
    assert (sending.reported, sending.sender.summary.rejected) == ({}, 0)
    assert len(edge.bodies) < BATCH_EVENTS


async def test_bad_lines_at_the_beginning_do_not_stop_the_others() -> None:
    edge = Edge(refuse=b"huge")
    sending = Sending(edge)
    bad = range(ALIKE_MAX - 1)
    await sending.run(*({"user_id": "u", "n": "huge" if n in bad else n} for n in range(100)))
    assert sending.reported == {n + 1: "413: too large" for n in bad}
    assert [event["n"] for event in edge.stored] == [n for n in range(100) if n not in bad]


async def test_once_an_edge_has_accepted_any_number_of_bad_lines_stops_nothing() -> None:
    edge = Edge(refuse=b"huge")
    sending = Sending(edge)
    bad = range(BATCH_EVENTS, BATCH_EVENTS + 3 * ALIKE_MAX)
    await sending.run(*({"user_id": "u", "n": "huge" if n in bad else n} for n in range(1000)))
    assert sending.reported.keys() == {n + 1 for n in bad}
    assert len(edge.stored) == 1000 - len(bad)


async def test_a_few_lines_that_are_refused_alike_are_all_reported() -> None:
    sending = Sending(Proxy())
    await sending.run({"user_id": "u"}, {"user_id": "u"})
    assert sending.reported.keys() == {1, 2}


async def test_lines_refused_in_different_words_are_all_reported() -> None:
    edge = Edge(*(Answer(400, b"at line %d" % n) for n in range(99)))
    sending = Sending(edge)
    await sending.run(*({"user_id": "u", "n": n} for n in range(50)))
    assert sending.reported.keys() == set(range(1, 51))


@pytest.mark.parametrize("status", [301, 401, 404, 415])
async def test_an_answer_that_will_not_change_ends_it(status: int) -> None:
    sending = Sending(Edge(Answer(status, b"why")))
    with pytest.raises(CommandError, match=f"{status}: why"):
        await sending.run({"user_id": "u"})


async def test_what_it_waits_for_is_said_once_for_each_trouble() -> None:
    refused = Answer(NO_ANSWER, b"refused")
    sending = Sending(Edge(refused, refused, Answer(503, b"Kafka is\x1b[31m away"), refused))
    await sending.run({"user_id": "u"})
    first, second = sending.waited_for
    assert first.startswith("refused; trying again")
    assert second.startswith(r"503: Kafka is\x1b[31m away; trying again")


async def test_it_gives_up_in_the_end() -> None:
    edge = Edge(*[Answer(503, b"away")] * 10)
    with pytest.raises(CommandError, match="gave up after 0 s: 503: away"):
        await Sender(edge.post, lambda _n, _r: None, give_up_seconds=0).send(
            lines_of({"user_id": "u"})
        )
