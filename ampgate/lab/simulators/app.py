"""The simulators over HTTP: a bare ASGI callable around a pure model.

Besides the destination's own paths:

- `GET /_received[?endpoint=/batch]`: NDJSON, each accepted record as it was received, in order.
  What Amplitude's dedupe dropped is not in it; Aampe has no dedupe, so repetitions are.
- `GET /_stats`: one object. For both: `kind`, `requests` {path: {status or "reset": count}},
  `accepted` (lines of `/_received`), `accepted_by_endpoint`, `distinct_insert_ids`,
  `duplicates`, `dead` (records that an answer blamed for good), `throttled_answers`, `users`,
  `faults_applied`, `violations` (the first 100) and `violations_total`. Amplitude adds `groups`,
  `without_insert_id`, `property_updates_ignored`; Aampe `millisecond_timestamps`.
- `GET /_properties?user_id=…` (or `device_id`, `contact_id`, `group_type` and `group_value`): the
  current properties, 404 when there are none.
- `POST /_faults`: a script (`fault_rules.py`); 422 with a message when it is not one.
- `POST /_reset`: as new.

ASGI has no word for breaking a connection. `ResettableProtocol` (given to uvicorn by
`simulator_server`) puts one into the scope's extensions: it closes the socket with a lingering
time of zero, so the client sees a TCP reset. Under another server the app raises
`ConnectionResetError` instead.
"""

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from pkgutil import resolve_name
from typing import Protocol, runtime_checkable
from urllib.parse import parse_qsl

import uvicorn
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ampgate.lab.simulators.fault_rules import Faults
from ampgate.lab.simulators.model import Answer, Model, Request, json_answer
from ampgate.lab.simulators.simulator import Simulator
from ampgate.lab.simulators.spool import Spool
from schemas.configuration.config import ConfigError

RESET_EXTENSION = "ampgate.reset"
READS = "/api/"
_LINGER_ZERO = struct.pack("ii", 1, 0)


@runtime_checkable
class KeepsAccepted(Protocol):
    """A model that shows what it accepted: it reads where we write it."""

    accepted: Spool


class SimulatorApp:
    def __init__(self, model: Model, clock: Callable[[], float]) -> None:
        self.simulator = Simulator(model)
        self._clock = clock
        self._spool = model.accepted if isinstance(model, KeepsAccepted) else Spool()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # Neither lifespan nor websockets.
            return
        body = await _body(receive)
        if body is None:
            return  # The client left before its request was complete.
        request = Request(
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
            body,
        )
        if request.path.startswith("/_"):
            await self._operate(request, send)
            return
        now = self._clock()
        if request.path.startswith(READS):  # An export takes seconds; deliveries go on meanwhile.
            reaction = await asyncio.to_thread(self.simulator.respond, request, now)
        else:
            reaction = self.simulator.respond(request, now)
        received = self.simulator.model.received
        if received:
            self._spool.append(received, int(now * 1000), self.simulator.show(now))
            received.clear()
        if reaction.delay_seconds:
            await asyncio.sleep(reaction.delay_seconds)
        if reaction.answer == "reset":
            await _reset(scope, receive)
        else:
            await _send(reaction.answer, send)

    async def _operate(self, request: Request, send: Send) -> None:
        query = dict(parse_qsl(request.query))
        match request.method, request.path:
            case "GET", "/_received":
                await self._send_received(query.get("endpoint"), send)
            case "GET", "/_stats":
                await _send(json_answer(200, self.simulator.stats()), send)
            case "GET", "/_properties":
                properties = self.simulator.properties(query)
                found = json_answer(200, properties) if properties is not None else None
                await _send(found or json_answer(404, {"error": "unknown"}), send)
            case "POST", "/_faults":
                await _send(self._set_faults(request.body), send)
            case "POST", "/_reset":
                self.simulator.reset()
                self._spool.clear()
                await _send(json_answer(200, {"reset": True}), send)
            case _:
                await _send(json_answer(404, {"error": "no such operation"}), send)

    async def _send_received(self, endpoint: str | None, send: Send) -> None:
        headers = [(b"content-type", b"application/x-ndjson")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for chunk in self._spool.chunks(endpoint):
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await asyncio.sleep(0)  # Requests go on meanwhile.
        await send({"type": "http.response.body", "body": b""})

    def _set_faults(self, body: bytes) -> Answer:
        try:
            faults = Faults.model_validate_json(body)
            self.simulator.set_faults(faults, self._clock())
        except ValidationError as error:
            found = error.errors(include_url=False, include_input=False, include_context=False)
            lines = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found]
            return json_answer(422, {"error": "; ".join(lines)})
        except ValueError as error:
            return json_answer(422, {"error": str(error)})
        return json_answer(200, {"rules": len(faults.rules)})

    def close(self) -> None:
        self._spool.close()


class ResettableProtocol(HttpToolsProtocol):
    """uvicorn's own protocol, with a way for the app to break the connection."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {RESET_EXTENSION: {"reset": self.reset}}

    def reset(self) -> None:
        connection = self.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.transport.abort()


def simulator_app(
    kind: str,
    *,
    accepted_keys: frozenset[str] | None = None,
    size: int | None = None,
    clock: Callable[[], float] = time.time,
) -> SimulatorApp:
    """The simulator of a type is the file of that name, with `_` for `-`.

    `size`: so many objects has a system that is polled.
    """
    simulated: Callable[..., Model] = resolve_name(
        f"ampgate.lab.simulators.{kind.replace('-', '_')}:simulated"
    )
    sized = {} if size is None else {"size": size}
    return SimulatorApp(simulated(accepted_keys, **sized), clock)


def simulator_server(app: SimulatorApp, *, host: str, port: int) -> uvicorn.Server:
    """Quiet, and without the headers that cost more than they tell."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=ResettableProtocol,
        loop="auto",
        lifespan="off",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=75,
    )
    return uvicorn.Server(config)


def serve(
    kind: str,
    host: str,
    port: int,
    *,
    accepted_keys: frozenset[str] | None = None,
    size: int | None = None,
) -> None:
    """Runs until SIGINT or SIGTERM."""
    app = simulator_app(kind, accepted_keys=accepted_keys, size=size)
    try:
        simulator_server(app, host=host, port=port).run()
    except SystemExit as ended:  # uvicorn's, with its own exit code.
        raise ConfigError(f"simulate: cannot listen on {host}:{port}") from ended
    finally:
        app.close()


async def _body(receive: Receive) -> bytes | None:
    message = await receive()
    if message["type"] != "http.request":
        return None
    first: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return first
    parts = [first]
    while message.get("more_body", False):
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
    return b"".join(parts)


async def _reset(scope: Scope, receive: Receive) -> None:
    extension = scope.get("extensions", {}).get(RESET_EXTENSION)
    if extension is None:
        raise ConnectionResetError("a fault breaks this connection")
    extension["reset"]()
    while (await receive())["type"] != "http.disconnect":
        pass  # uvicorn has to see the connection go, else it would answer 500.


async def _send(answer: Answer, send: Send) -> None:
    headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in answer.headers.items()]
    headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
