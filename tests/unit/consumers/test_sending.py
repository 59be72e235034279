"""A request without a task: its reply is settled where it comes, and no error is lost."""

from collections.abc import Callable
from random import Random
from typing import Self

from consumers.delivery.delivery import Delivery
from consumers.delivery.destination import Reply, Request, Response, Unreachable
from consumers.destinations.aampe.events import destinations
from consumers.metrics import Counts
from consumers.sending import Sending
from schemas.records import Stored, TopicPartition
from schemas.topics import Kind
from schemas.vendors.aampe import AampeDestination

ACCEPTED = Response(202, b'{"code":202}')
PLACE = TopicPartition("events", 0)
EVENT = b'{"event_type":"a","user_id":"user-1","time":1,"insert_id":"i","event_properties":{"n":1}}'
RECORD = Stored(*PLACE, 0, 1_000, b"user-1", EVENT, ())


class Http:
    """A client with an idle connection, or without; its reply comes at our word."""

    def __init__(self, *, is_idle: bool = True) -> None:
        self._is_idle = is_idle
        self.replied: Callable[[Reply], None] = lambda _: None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    def begin(self, _request: Request, replied: Callable[[Reply], None]) -> bool:
        self.replied = replied
        return self._is_idle

    async def send(self, _request: Request) -> Reply:
        return ACCEPTED


class Broken(Http):
    """A client with a defect."""

    async def send(self, _request: Request) -> Reply:
        raise ValueError("a defect of the client")


class World:
    """One record on its way."""

    def __init__(self, http: Http) -> None:
        configured = AampeDestination.model_validate(
            {"name": "a", "type": "aampe", "api_key": "key", "region": "us-east1"}
        )
        destination = destinations(configured)[0]
        self.delivery = Delivery(
            destination,
            topic="events",
            parked_topic=None,
            memory_max_bytes=1_000_000,
            random=Random(0),
        )
        self.delivery.assign(PLACE, 0)
        self.delivery.accept([RECORD], 1.0)
        self.failures: list[Exception] = []
        self.http = http
        self.sending = Sending(
            "a",
            destination,
            http,
            self.delivery,
            Counts("a", Kind.EVENT),
            lambda: 2.0,
            lambda: None,
            self.failures.append,
        )
        batch = self.delivery.next_batch(1.0)
        assert batch is not None
        self.work = self.sending.begin(batch)

    @property
    def committable(self) -> int:
        return self.delivery.committable()[PLACE]


def test_a_reply_is_settled_at_once_where_a_connection_is_idle() -> None:
    world = World(Http())
    assert world.work is None
    assert (world.delivery.in_flight, world.committable) == (1, 0)

    world.http.replied(ACCEPTED)

    assert (world.delivery.in_flight, world.committable, world.failures) == (0, 1, [])


async def test_without_an_idle_connection_a_task_sends_it() -> None:
    world = World(Http(is_idle=False))
    assert world.work is not None
    await world.work

    assert (world.delivery.in_flight, world.committable) == (0, 1)


async def test_a_request_whose_client_fails_is_sent_again() -> None:
    world = World(Broken(is_idle=False))
    assert world.work is not None
    await world.work

    assert (world.delivery.in_flight, world.committable, world.failures) == (0, 0, [])
    assert world.delivery.next_batch(1_000.0) is not None


def test_what_settling_fails_with_is_told_and_not_lost_in_the_event_loop() -> None:
    world = World(Http())
    world.http.replied(ACCEPTED)

    world.http.replied(ACCEPTED)  # A second reply is a defect: the engine has no such batch.

    assert [type(error) for error in world.failures] == [KeyError]


def test_a_reply_after_the_end_settles_nothing() -> None:
    world = World(Http())
    world.sending.end()

    world.http.replied(Unreachable("connection_broken"))

    assert (world.delivery.in_flight, world.committable, world.failures) == (1, 0, [])
