"""Amplitude's read side as a pure model: cohorts (amplitude-read.md#cohorts).

Strict: 60 requests in 10 minutes, Basic credentials, a job that takes its time, and a file that
another host gives out: who takes our credentials there is noted.
"""

import base64
import binascii
import csv
import gzip
import io
from collections.abc import Mapping
from dataclasses import dataclass

from ampgate.lab.simulators.model import (
    FAIR,
    Answer,
    Conditions,
    Received,
    Request,
    Violations,
    json_answer,
)
from ampgate.lab.simulators.requests_limit import RequestsLimit

SIZE = 1_000
COHORT = "cohort1"
WINDOW_SECONDS, REQUESTS_A_WINDOW = 600.0, 60
LINK_SECONDS = 60.0
REQUEST_DAYS = 7


@dataclass(frozen=True, slots=True)
class AmplitudeReadOptions:
    accepted_keys: frozenset[str] | None = None  # API keys; `None`: any that is not empty.
    members: int = SIZE
    job_seconds: float = 0.0
    is_large: bool = True  # The file is at another host.


@dataclass(slots=True)
class Job:
    asked_at: float
    file: bytes
    link_until: float = 0.0


def simulated(accepted_keys: frozenset[str] | None, size: int | None = None) -> "AmplitudeRead":
    members = SIZE if size is None else size
    return AmplitudeRead(AmplitudeReadOptions(accepted_keys=accepted_keys, members=members))


class AmplitudeRead:
    kind = "amplitude-read"
    effects: frozenset[str] = frozenset()

    def __init__(self, options: AmplitudeReadOptions | None = None) -> None:
        self.options = options or AmplitudeReadOptions()
        self.reset()

    def reset(self) -> None:
        self.received: list[Received] = []
        self.violations = Violations()
        self.members = {f"user{n}@shop.example" for n in range(self.options.members)}
        self.cut_bytes = 0  # So many are missing at the end of the next file.
        self.downloads = 0
        self._jobs: dict[str, Job] = {}
        self._limit = RequestsLimit(REQUESTS_A_WINDOW, WINDOW_SECONDS)

    def answer(self, request: Request, now: float, conditions: Conditions = FAIR) -> Answer:
        parts = request.path.strip("/").split("/")
        if parts[0] == "signed":
            return self._signed(parts[-1], request, now)
        if (refused := self._refusal(request, now)) is not None:
            return refused
        match parts:
            case ["api", "3", "cohorts"]:
                return json_answer(200, {"cohorts": [{"id": COHORT, "size": len(self.members)}]})
            case ["api", "5", "cohorts", "request", cohort] if cohort == COHORT:
                return self._request(now)
            case ["api", "5", "cohorts", "request-status", job] if job in self._jobs:
                return self._status(job, now)
            case ["api", "5", "cohorts", "request", job, "file"] if self._is_done(job, now):
                return self._file(job, request, now)
        return _error(404, "not found")

    def records(self, request: Request) -> list[dict[str, object]]:
        return []

    def properties(self, owner: Mapping[str, str]) -> dict[str, object] | None:
        return None

    def stats(self) -> dict[str, object]:
        return {"members": len(self.members), "downloads": self.downloads}

    def _refusal(self, request: Request, now: float) -> Answer | None:
        key = _api_key(request.headers.get("authorization", ""))
        keys = self.options.accepted_keys
        if not key or (keys is not None and key not in keys):
            return _error(403, "Invalid API/Secret Key combination")
        if not self._limit.takes(key, now, self.violations):
            return _error(429, "Too many requests")
        return None

    def _request(self, now: float) -> Answer:
        job = f"req{len(self._jobs)}"
        packed = _packed(sorted(self.members))
        self._jobs[job] = Job(now, packed[: len(packed) - self.cut_bytes])
        self.cut_bytes = 0
        return json_answer(202, {"request_id": job, "cohort_id": COHORT})

    def _is_done(self, job: str, now: float) -> bool:
        found = self._jobs.get(job)
        return found is not None and now >= found.asked_at + self.options.job_seconds

    def _status(self, job: str, now: float) -> Answer:
        said: dict[str, object] = {"request_id": job, "cohort_id": COHORT}
        if self._is_done(job, now):
            return json_answer(200, said | {"async_status": "JOB COMPLETED"})
        return json_answer(202, said | {"async_status": "JOB INPROGRESS"})

    def _file(self, job: str, request: Request, now: float) -> Answer:
        if not self.options.is_large:
            self.downloads += 1
            return Answer(200, {"content-type": "text/csv"}, self._jobs[job].file)
        self._jobs[job].link_until = now + LINK_SECONDS
        port = request.headers.get("host", "").rpartition(":")[2]
        location = f"http://localhost:{port}/signed/{job}?X-Amz-Expires=60"
        return Answer(302, {"location": location}, b"")

    def _signed(self, job: str, request: Request, now: float) -> Answer:
        if "authorization" in request.headers:
            self.violations.note("our credentials went to another host")
        found = self._jobs.get(job)
        if found is None or now > found.link_until:
            expired = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message>"
            return Answer(403, {"content-type": "application/xml"}, expired + b"</Error>")
        self.downloads += 1
        return Answer(200, {"content-type": "binary/octet-stream"}, found.file)


def _packed(members: list[str]) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, quoting=csv.QUOTE_ALL)
    rows.writerow(["amplitude_id", "user_id"])
    rows.writerows([[str(10**9 + n), member] for n, member in enumerate(members)])
    return gzip.compress(text.getvalue().encode(), 1)


def _api_key(authorization: str) -> str:
    scheme, _, pair = authorization.partition(" ")
    try:
        key, colon, secret = base64.b64decode(pair).decode().partition(":")
    except (binascii.Error, ValueError):
        return ""
    return key if scheme.lower() == "basic" and colon and secret else ""


def _error(status: int, details: str) -> Answer:
    error = {"http_code": status, "type": "unspecified", "metadata": {"details": details}}
    return json_answer(status, {"error": error})
