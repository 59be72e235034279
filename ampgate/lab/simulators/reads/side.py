"""Amplitude's read side as a pure model (amplitude-read.md#access): one API a file.

Strict: Basic credentials, 5 requests at once, what a key may spend (amplitude-read.md#cost), 60
cohort requests in 10 minutes, 360 user searches an hour, a cost of 7,200 an hour for the taxonomy.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from ampgate.lab.simulators.cost_limit import CostLimit
from ampgate.lab.simulators.model import FAIR, Answer, Conditions, Received, Request, Violations
from ampgate.lab.simulators.reads.activity import Activity
from ampgate.lab.simulators.reads.answers import api_key_of, error
from ampgate.lab.simulators.reads.cohorts import SIZE, Cohorts
from ampgate.lab.simulators.reads.dashboards import Dashboards
from ampgate.lab.simulators.reads.export import BYTES_MAX, Export
from ampgate.lab.simulators.reads.taxonomy import Taxonomy
from ampgate.lab.simulators.reads.users import Properties, Users
from ampgate.lab.simulators.requests_limit import RequestsLimit
from ampgate.lab.simulators.spool import Spool

COHORTS_A_WINDOW, COHORT_SECONDS = 60, 600.0
SEARCHES_AN_HOUR = 360
COSTS = ((1_000, 300.0), (108_000, 3_600.0))
AT_ONCE, SEARCHES_AT_ONCE = 5, 10
TAXONOMY = "/api/2/taxonomy"
TAXONOMY_AN_HOUR, TAXONOMY_AT_ONCE = 7_200, 4  # Of cost: 1 for a GET, 2 for the others.
PROFILE = "/v1/userprofile"
_SEARCHES = frozenset({"/api/2/usersearch", "/api/2/useractivity"})


@dataclass(frozen=True, slots=True)
class AmplitudeReadOptions:
    accepted_keys: frozenset[str] | None = None  # API keys; `None`: any that is not empty.
    members: int = SIZE
    job_seconds: float = 0.0
    is_large: bool = True  # A cohort's file is at another host.
    export_lag_seconds: float = 0.0  # Amplitude's own hours are about 7,200 late.
    export_bytes_max: int = BYTES_MAX
    is_enterprise: bool = True  # Else there is no taxonomy.


class AmplitudeRead:
    kind = "amplitude-read"
    effects: frozenset[str] = frozenset({"cut", "expire"})

    def __init__(
        self,
        options: AmplitudeReadOptions | None = None,
        accepted: Spool | None = None,
        properties: Properties = lambda _: None,
    ) -> None:
        self.options = options or AmplitudeReadOptions()
        self._accepted = accepted or Spool()
        self._properties = properties
        self.reset()

    def reset(self) -> None:
        options = self.options
        self.received: list[Received] = []
        self.violations = Violations()
        self.cohorts = Cohorts(
            *(options.members, self.violations),
            job_seconds=options.job_seconds,
            is_large=options.is_large,
        )
        self._users = Users(self._accepted, self._properties)
        self._dashboards = Dashboards(self._accepted)
        self._apis = (
            self.cohorts,
            Export(
                self._accepted,
                lag_seconds=options.export_lag_seconds,
                bytes_max=options.export_bytes_max,
            ),
            self._users,
            self._dashboards,
            Activity(self._accepted),
            Taxonomy(is_enterprise=options.is_enterprise),
        )
        self._taxonomy = CostLimit("taxonomy", ((TAXONOMY_AN_HOUR, 3_600.0),))
        self._cohort_requests = RequestsLimit(COHORTS_A_WINDOW, COHORT_SECONDS)
        self._searches = RequestsLimit(SEARCHES_AN_HOUR, 3_600.0)
        self._costs: dict[str, CostLimit] = {}
        self._at_once = {"searches": 0, "taxonomy": 0, "others": 0}

    def reads(self, path: str) -> bool:
        """Whether this path is one of this side."""
        return path.startswith(("/api/", "/signed/")) or path == PROFILE

    def answer(self, request: Request, now: float, conditions: Conditions = FAIR) -> Answer:
        parts = request.path.strip("/").split("/")
        if parts[0] == "signed":
            return self.cohorts.signed(parts[-1], request, now, is_expired=conditions.is_expired)
        if request.path == PROFILE:
            return self._users.profile(request)
        if (refused := self._refusal(request, now)) is not None:
            return refused
        if conditions.is_expired:  # The job of a cohort, for instance.
            return error(404, "not found")
        pool, cost, most = _pool_of(request)
        self._at_once[pool] += cost
        try:
            if self._at_once[pool] > most:
                self.violations.note(f"{self._at_once[pool]} requests at once")
                return error(429, "Too many concurrent requests")
            for api in self._apis:
                if (answer := api.answer(parts, request, now)) is not None:
                    return answer
            return error(404, "not found")
        finally:
            self._at_once[pool] -= cost

    def records(self, request: Request) -> list[dict[str, object]]:
        return []

    def properties(self, owner: Mapping[str, str]) -> dict[str, object] | None:
        return self._properties(owner)

    def stats(self) -> dict[str, object]:
        return {
            "members": len(self.cohorts.members),
            "downloads": self.cohorts.downloads,
            "read_violations": self.violations.total,
        }

    def _refusal(self, request: Request, now: float) -> Answer | None:
        key = api_key_of(request)
        keys = self.options.accepted_keys
        if not key:
            return error(403, "Invalid API/Secret Key combination")
        if keys is not None and key not in keys:
            return error(403, "Invalid API Key")
        if "/cohorts" in request.path:
            is_within = self._cohort_requests.takes(key, now, self.violations)
            return None if is_within else error(429, "Too many requests")
        if request.path in _SEARCHES:
            is_within = self._searches.takes(key, now, self.violations)
            return None if is_within else error(429, "Too many user searches in an hour")
        if request.path.startswith(TAXONOMY):
            said = self._taxonomy.refusal(_pool_of(request)[1], now, self.violations)
            return None if said is None else error(429, said)
        spent = self._costs.setdefault(key, CostLimit("cost", COSTS))
        said = spent.refusal(self._dashboards.cost(request), now, self.violations)
        return None if said is None else error(429, said)


def _pool_of(request: Request) -> tuple[str, int, int]:
    """Which requests it is counted with, as how many, and how many of them may be at once."""
    if request.path in _SEARCHES:
        return "searches", 1, SEARCHES_AT_ONCE
    if request.path.startswith(TAXONOMY):
        return "taxonomy", 1 if request.method == "GET" else 2, TAXONOMY_AT_ONCE
    return "others", 1, AT_ONCE
