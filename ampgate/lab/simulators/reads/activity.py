"""Users and sessions a day (amplitude-read.md#segmentation), and annotations, of which there are
none: what public clients of Amplitude also read.
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

from ampgate.lab.simulators.model import Answer, Request, json_answer
from ampgate.lab.simulators.reads.answers import error, query_of
from ampgate.lab.simulators.reads.rows import event_of, moment, owner_of
from ampgate.lab.simulators.spool import Spool

DAYS_MAX = 365


class Activity:
    def __init__(self, accepted: Spool) -> None:
        self._accepted = accepted

    def answer(self, parts: list[str], request: Request, now: float) -> Answer | None:
        match parts:
            case ["api", "2", "annotations"]:
                return json_answer(200, {"data": []})
            case ["api", "2", "users"]:
                return self._users(request)
            case ["api", "2", "sessions", "average"]:
                return self._sessions(request)
        return None

    def _users(self, request: Request) -> Answer:
        if not (days := days_of(request)):
            return error(400, "start and end must be days, as in 20260105")
        found: defaultdict[str, set[str]] = defaultdict(set)
        for owner, _, at in self._happened():
            found[day_of(at)].add(owner)
        series = [[len(found[day]) for day in days]]
        labels = ["User"]
        meta = [{"segmentIndex": 0}]
        data = {"series": series, "seriesLabels": labels, "seriesMeta": meta, "xValues": days}
        return json_answer(200, {"data": data})

    def _sessions(self, request: Request) -> Answer:
        if not (days := days_of(request)):
            return error(400, "start and end must be days, as in 20260105")
        spans: dict[tuple[str, object], tuple[int, int]] = {}
        for owner, session, at in self._happened():
            if session not in (None, -1):
                first, last = spans.get((owner, session), (at, at))
                spans[owner, session] = (min(first, at), max(last, at))
        lengths: defaultdict[str, list[float]] = defaultdict(list)
        for first, last in spans.values():
            lengths[day_of(first)].append((last - first) / 1000)
        means = [sum(lengths[day]) / len(lengths[day]) if lengths[day] else 0.0 for day in days]
        meta = [{"segmentIndex": 0}]
        return json_answer(200, {"data": {"series": [means], "seriesMeta": meta, "xValues": days}})

    def _happened(self) -> list[tuple[str, object, int]]:
        """Of each event who, in which session, and when."""
        found: list[tuple[str, object, int]] = []
        for row in self._accepted.rows():
            event = event_of(row) if row.copies else None
            if event is not None:
                time = event.get("time")
                at = time if isinstance(time, int) else row.uploaded_ms
                found.append((owner_of(event), event.get("session_id"), at))
        return found


def day_of(milliseconds: int) -> str:
    return moment(milliseconds)[: len("2026-01-01")]


def days_of(request: Request) -> list[str]:
    """From `start` to `end`, both included; empty where they are no range."""
    query = query_of(request)
    try:
        first, last = (
            datetime.strptime(query.get(name, ""), "%Y%m%d").replace(tzinfo=UTC)
            for name in ("start", "end")
        )
    except ValueError:
        return []
    count = (last - first).days + 1
    if count > DAYS_MAX:
        return []
    return [f"{first + timedelta(days=n):%Y-%m-%d}" for n in range(count)]
