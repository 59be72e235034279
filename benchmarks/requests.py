"""Requests for the edge, of each dialect and in the forms that come from the field. Pure."""

import gzip
import json
from base64 import b64encode
from collections.abc import Callable, Mapping
from functools import partial
from urllib.parse import quote

from benchmarks.events import KEY, USERS, event

USUAL = "Amplitude"  # What the headline rows are of.
JSON = b"application/json"
FORM = b"application/x-www-form-urlencoded"
BEARER = b"authorization: Bearer %b\r\n" % KEY.encode()
BASIC = b"authorization: Basic %b\r\n" % b64encode(KEY.encode() + b":")
Make = Callable[[range], bytes]  # A whole request of these events.


def post(path: bytes, body: bytes, *, headers: bytes = b"", kind: bytes = JSON) -> bytes:
    return (
        b"POST %b HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: %b\r\n%bcontent-length: %d\r\n\r\n%b"
        % (path, kind, headers, len(body), body)
    )


def listed(numbers: range, member: bytes = b"", users: int = USERS) -> bytes:
    """A JSON array of the events, each with this member (such as `b'"ip":"::1",'`)."""
    events = [b"{%b%b" % (member, event(number, users)[1][1:]) for number in numbers]
    return b"[%b]" % b",".join(events)


def amplitude(numbers: range, member: bytes = b"", users: int = USERS) -> bytes:
    return b'{"api_key":"%b","events":%b}' % (KEY.encode(), listed(numbers, member, users))


def short(numbers: range) -> bytes:
    """Events of 300 bytes, as the Amplitude SDK for browsers sends a page view at the least."""
    events = []
    for number in numbers:
        given = json.loads(event(number)[1])
        kept = ("user_id", "device_id", "event_type", "time", "insert_id", "library", "platform")
        events.append({name: given[name] for name in kept})
    made = json.dumps(events, separators=(",", ":")).encode()
    return b'{"api_key":"%b","events":%b}' % (KEY.encode(), made)


def call(number: int) -> bytes:
    """A Segment call of the same event."""
    given = json.loads(event(number)[1])
    made = {"type": "track", "event": given["event_type"], "userId": given["user_id"]}
    made |= {"messageId": given["insert_id"], "anonymousId": given["device_id"]}
    context = {"locale": given["language"], "app": {"version": given["app_version"]}}
    return json.dumps(made | {"context": context, "properties": given["event_properties"]}).encode()


def _amplitude(numbers: range, member: bytes = b"", users: int = USERS) -> bytes:
    return post(b"/2/httpapi", amplitude(numbers, member, users))


def _short(numbers: range) -> bytes:
    return post(b"/2/httpapi", short(numbers))


def _zipped(numbers: range) -> bytes:
    body = gzip.compress(amplitude(numbers), 6)
    return post(b"/2/httpapi", body, headers=b"content-encoding: gzip\r\n")


def _former(numbers: range) -> bytes:
    return post(b"/", b"client=%b&e=%b" % (KEY.encode(), _quoted(listed(numbers))), kind=FORM)


def _identify(numbers: range) -> bytes:
    users = (json.loads(event(number)[1]) for number in numbers)
    kept = ("user_id", "device_id", "user_properties")
    found = [{name: user[name] for name in kept} for user in users]
    body = b"api_key=%b&identification=%b" % (KEY.encode(), _quoted(json.dumps(found).encode()))
    return post(b"/identify", body, kind=FORM)


def _native(numbers: range) -> bytes:
    body = listed(numbers) if len(numbers) > 1 else event(numbers[0])[1]
    return post(b"/v1/events", body, headers=BEARER)


def _segment(numbers: range) -> bytes:
    calls = b",".join(map(call, numbers))
    if len(numbers) == 1:
        return post(b"/segment/v1/track", calls, headers=BASIC)
    return post(b"/segment/v1/batch", b'{"batch":[%b]}' % calls, headers=BASIC)


def _aampe(numbers: range) -> bytes:
    (number,) = numbers  # It takes one a request.
    given = json.loads(event(number)[1])
    made = {"contact_id": given["user_id"], "event_name": given["event_type"]}
    made |= {"timestamp": given["time"], "event_id": given["insert_id"]}
    body = json.dumps(made | {"metadata": given["event_properties"]}).encode()
    return post(b"/aampe/v1/events", body, headers=BEARER)


def _quoted(text: bytes) -> bytes:
    return quote(text, safe="").encode()


REQUESTS: Mapping[str, Make] = {
    USUAL: _amplitude,
    "Amplitude, an ip given": partial(_amplitude, member=b'"ip":"203.0.113.7",'),
    "Amplitude, ip $remote": partial(_amplitude, member=b'"ip":"$remote",'),
    "Amplitude, 10 users": partial(_amplitude, users=10),
    "Amplitude, events of 300 bytes": _short,
    "Amplitude, events of 8 kB": partial(_amplitude, member=b'"x":"%b",' % (b"a" * 7_400)),
    "Amplitude, gzip": _zipped,
    "Amplitude's former form": _former,
    "Amplitude's identify": _identify,
    "native": _native,
    "Segment": _segment,
    "Aampe": _aampe,
}
