"""What Amplitude knows of a user (amplitude-read.md#profiles-and-activity)."""

from collections.abc import Callable, Iterator, Mapping

from ampgate.lab.simulators.model import Answer, Request, json_answer, text_answer
from ampgate.lab.simulators.reads.answers import error, query_of
from ampgate.lab.simulators.reads.rows import amplitude_id, event_of, exported, owner_of
from ampgate.lab.simulators.spool import Row, Spool

ACTIVITY_MAX = 1000
MATCHES_MAX = 100
Properties = Callable[[Mapping[str, str]], dict[str, object] | None]
Event = tuple[Row, dict[str, object]]


class Users:
    def __init__(self, accepted: Spool, properties: Properties) -> None:
        self._accepted = accepted
        self._properties = properties
        self._owners: dict[str, str] = {}  # By Amplitude's number, of those that were searched for.

    def answer(self, parts: list[str], request: Request, now: float) -> Answer | None:
        match parts:
            case ["api", "2", "usersearch"]:
                return self._search(query_of(request).get("user", ""))
            case ["api", "2", "useractivity"]:
                return self._activity(query_of(request))
        return None

    def profile(self, request: Request) -> Answer:
        """On its own host, with its own authorization: the secret key alone."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "api-key":
            return text_answer(401, "Missing Api-Key in Authorization header")
        if not secret.strip():
            return text_answer(401, "Invalid Api-Key")
        query = query_of(request)
        owner = {name: query[name] for name in ("user_id", "device_id") if query.get(name)}
        name = next(iter(owner.values()), "")
        found = self._properties(owner)
        if found is None and not any(name in _ids(event) for _, event in self._events(name)):
            return json_answer(400, {"error": "User id and device id not seen before"})
        wants = query.get("get_amp_props") == "true"
        return json_answer(
            200,
            {
                "userData": {
                    "recommendations": None,
                    "user_id": owner.get("user_id"),
                    "device_id": owner.get("device_id"),
                    "amp_props": (found or {}) if wants else None,
                    "cohort_ids": [] if query.get("get_cohort_ids") == "true" else None,
                }
            },
        )

    def _search(self, wanted: str) -> Answer:
        if not wanted:
            return error(400, "user is missing")
        found: dict[int, object] = {}
        for _, event in self._events(wanted):
            user_id, ids = event.get("user_id"), _ids(event)
            number = amplitude_id(owner_of(event))
            is_prefix = isinstance(user_id, str) and user_id.startswith(wanted)
            if is_prefix or wanted in ids or wanted == str(number):
                found[number] = user_id
                self._owners[str(number)] = owner_of(event)
                if len(found) == MATCHES_MAX:
                    break
        matches = [{"user_id": user, "amplitude_id": number} for number, user in found.items()]
        kind = "match_user_or_device_id" if matches else "nomatch"
        return json_answer(200, {"matches": matches, "type": kind})

    def _activity(self, query: Mapping[str, str]) -> Answer:
        number = query.get("user", "")
        try:
            offset, limit = int(query.get("offset", "0")), int(query.get("limit", ACTIVITY_MAX))
        except ValueError:
            return error(400, "offset and limit must be numbers")
        if limit > ACTIVITY_MAX or offset < 0 or limit < 1:
            return error(400, f"limit must be at most {ACTIVITY_MAX}")
        found = [
            (row, event)
            for row, event in self._events(self._owners.get(number, ""))
            if str(amplitude_id(owner_of(event))) == number
        ]
        if not found:
            return error(400, "Invalid user")
        shown = found[::-1] if query.get("direction", "latest") == "latest" else found
        events = [exported(event, row) for row, event in shown[offset : offset + limit]]
        return json_answer(200, {"userData": self._summary(int(number), found), "events": events})

    def _summary(self, number: int, found: list[Event]) -> dict[str, object]:
        first, last = exported(found[0][1], found[0][0]), exported(found[-1][1], found[-1][0])
        user_id, device_id = last["user_id"], last["device_id"]
        properties = self._properties({"user_id": str(user_id or device_id)})
        return {
            **{name: last[name] for name in ("platform", "country", "region", "city", "language")},
            "user_id": user_id,
            "canonical_amplitude_id": number,
            "merged_amplitude_ids": [],
            "num_events": len(found),
            "num_sessions": len({event.get("session_id") for _, event in found}),
            "first_used": str(first["event_time"])[:10],
            "last_used": str(last["event_time"])[:10],
            "last_event_time": last["event_time"],
            "device_ids": sorted({str(exported(event, row)["device_id"]) for row, event in found}),
            "properties": properties or {},
        }

    def _events(self, text: str) -> Iterator[Event]:
        """With the text somewhere in them, if it is no number of Amplitude's own."""
        needle = b"" if text.isdecimal() else text.encode()
        for row in self._accepted.rows():
            if row.copies and needle in row.body and (event := event_of(row)) is not None:
                yield row, event


def _ids(event: Mapping[str, object]) -> tuple[object, object]:
    return event.get("user_id"), event.get("device_id")
