"""What `ampgate chaos` reads in the logs of deliveries."""

import inspect
from pathlib import Path

import orjson

from ampgate.lab.chaos.reported import LOST, lost_in
from consumers import reading


def line(destination: str, first: int, last: int) -> bytes:
    said = {"worker": f"{destination}/event", "why": "deleted", "topic": "chaos.events"}
    return orjson.dumps(
        said | {"partition": 3, "first": first, "last": last, "lost": 1, "message": LOST}
    )


def test_lost_is_what_any_delivery_says_of_its_destination_also_one_that_was_killed(
    tmp_path: Path,
) -> None:
    other = orjson.dumps({"message": "partitions assigned", "partitions": [1]})
    killed = b"no JSON\n" + line("a", 9, 9)[:-5]
    logs = {
        "delivery-1.log": b"\n".join([other, line("a", 5, 6), line("b", 5, 5), killed]),
        "delivery-2.log": line("a", 6, 7) + b"\n",
    }
    for name, content in logs.items():
        (tmp_path / name).write_bytes(content)
    assert lost_in(tmp_path / name for name in logs) == {
        "a": {"chaos.events/3/5", "chaos.events/3/6", "chaos.events/3/7"},
        "b": {"chaos.events/3/5"},
    }


def test_a_delivery_says_it_so() -> None:
    assert f'"{LOST}"' in inspect.getsource(reading)
