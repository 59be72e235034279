"""Requests as a client would send them."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

import orjson

from ampgate.lab.simulators.amplitude import Amplitude
from ampgate.lab.simulators.amplitude_project import AmplitudeOptions
from ampgate.lab.simulators.model import FAIR, Answer, Conditions, Request

FORM = {"content-type": "application/x-www-form-urlencoded"}
JSON = {"content-type": "application/json"}


def event(n: int = 0, **members: object) -> dict[str, object]:
    """A valid event; a member that is `...` is left out."""
    whole: dict[str, object] = {
        "event_type": "bought",
        "user_id": f"user-{n}",
        "device_id": f"device-{n}",
        "insert_id": f"insert-{n}",
        "time": 1_767_225_600_000 + n,
        **members,
    }
    return {name: value for name, value in whole.items() if value is not ...}


def upload(
    events: object,
    path: str = "/batch",
    headers: Mapping[str, str] = JSON,
    **members: object,
) -> Request:
    body = {"api_key": "key", "events": events, **members}
    body = {name: value for name, value in body.items() if value is not ...}
    return Request("POST", path, "", headers, orjson.dumps(body))


def identify(identification: object, path: str = "/identify", **fields: str) -> Request:
    text = orjson.dumps(identification).decode()
    form = {"api_key": "key", "identification": text, **fields}
    return Request("POST", path, "", FORM, urlencode(form).encode())


def aampe(body: object, path: str = "/v1/events", **headers: str) -> Request:
    whole = {**JSON, "authorization": "Bearer key", **headers}
    return Request("POST", path, "", whole, orjson.dumps(body))


def answered(
    request: Request,
    model: Amplitude | None = None,
    now: float = 1_000_000.0,
    conditions: Conditions = FAIR,
) -> Answer:
    return (model or Amplitude()).answer(request, now, conditions)


def parsed(answer: Answer) -> dict[str, object]:
    body = orjson.loads(answer.body)
    assert isinstance(body, dict)
    return body


def received(model: Amplitude) -> Sequence[object]:
    return [orjson.loads(record.body) for record in model.received]


def amplitude(**options: object) -> Amplitude:
    return Amplitude(AmplitudeOptions(**options))  # type: ignore[arg-type]  # A test's shorthand.
