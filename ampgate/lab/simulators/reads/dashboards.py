"""Counts by event type and day (amplitude-read.md#segmentation), in UTC."""

from collections import Counter

import orjson

from ampgate.lab.simulators.model import Answer, Request, json_answer
from ampgate.lab.simulators.reads.activity import day_of, days_of
from ampgate.lab.simulators.reads.answers import error, query_of
from ampgate.lab.simulators.reads.rows import event_of, owner_of
from ampgate.lab.simulators.spool import Spool

EVERY = frozenset({"_all", "_active"})
METRICS = ("totals", "uniques")


class Dashboards:
    def __init__(self, accepted: Spool) -> None:
        self._accepted = accepted
        self._counted_at = -1
        self._totals: Counter[tuple[str, str]] = Counter()  # Of a type and a day.
        self._users: dict[tuple[str, str], set[str]] = {}

    def answer(self, parts: list[str], request: Request, now: float) -> Answer | None:
        match parts:
            case ["api", "2", "events", "list"]:
                return self._list()
            case ["api", "2", "events", "segmentation"]:
                return self._segmentation(request)
        return None

    def cost(self, request: Request) -> int:
        """Days by events (amplitude-read.md#cost)."""
        query = query_of(request)
        return max(1, len(days_of(request))) * (2 if "e2" in query else 1) if "e" in query else 1

    def _list(self) -> Answer:
        self._count()
        totals: Counter[str] = Counter()
        for (event_type, _), count in self._totals.items():
            totals[event_type] += count
        shown = {"non_active": False, "deleted": False, "hidden": False, "flow_hidden": False}
        return json_answer(
            200,
            {
                "data": [
                    {"value": name, "display": name, "totals": count, **shown}
                    for name, count in sorted(totals.items())
                ]
            },
        )

    def _segmentation(self, request: Request) -> Answer:
        query = query_of(request)
        try:
            event = orjson.loads(query.get("e", ""))
            wanted = str(event["event_type"])
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return error(400, 'e must be an event, as in {"event_type":"_active"}')
        if not (days := days_of(request)) or query.get("i", "1") != "1":
            return error(400, "start and end must be days, as in 20260105, and i 1")
        metric = query.get("m", "uniques")
        if metric not in METRICS:
            return error(400, f"m must be one of {', '.join(METRICS)}")
        self._count()
        series = [self._value(wanted, day, metric) for day in days]
        return json_answer(
            200,
            {
                "data": {
                    "series": [series],
                    "seriesLabels": [0],
                    "seriesCollapsed": [[{"setId": "", "value": sum(series)}]],
                    "xValues": days,
                }
            },
        )

    def _value(self, wanted: str, day: str, metric: str) -> int:
        types = {one for one, _ in self._totals} if wanted in EVERY else {wanted}
        if metric == "totals":
            return sum(self._totals[one, day] for one in types)
        return len(set().union(*(self._users.get((one, day), set()) for one in types)))

    def _count(self) -> None:
        """Anew, apart from what is shown: questions are answered in threads."""
        if self._counted_at == (size := self._accepted.size):
            return
        totals: Counter[tuple[str, str]] = Counter()
        users: dict[tuple[str, str], set[str]] = {}
        for row in self._accepted.rows():
            event = event_of(row) if row.copies else None
            if event is None:
                continue
            time = event.get("time")
            at_ms = time if isinstance(time, int) else row.uploaded_ms
            place = (str(event["event_type"]), day_of(at_ms))
            totals[place] += row.copies
            users.setdefault(place, set()).add(owner_of(event))
        self._totals, self._users, self._counted_at = totals, users, size
