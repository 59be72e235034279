"""Cohorts (amplitude-read.md#cohorts): a job that takes its time, and a file that another host
gives out; who takes our credentials there is noted.
"""

import csv
import gzip
import io
from dataclasses import dataclass

from ampgate.lab.simulators.model import Answer, Request, Violations, json_answer

SIZE = 1_000
COHORT = "cohort1"
LINK_SECONDS = 60.0


@dataclass(slots=True)
class _Job:
    asked_at: float
    file: bytes
    link_until: float = 0.0


class Cohorts:
    def __init__(
        self, size: int, violations: Violations, *, job_seconds: float, is_large: bool
    ) -> None:
        self.members = {f"user{n}@shop.example" for n in range(size)}
        self.cut_bytes = 0  # So many are missing at the end of the next file.
        self.downloads = 0
        self._violations = violations
        self._job_seconds, self._is_large = job_seconds, is_large
        self._jobs: dict[str, _Job] = {}

    def answer(self, parts: list[str], request: Request, now: float) -> Answer | None:
        """None: it is another API's."""
        match parts:
            case ["api", "3", "cohorts"]:
                return json_answer(200, {"cohorts": [{"id": COHORT, "size": len(self.members)}]})
            case ["api", "5", "cohorts", "request", cohort] if cohort == COHORT:
                return self._request(now)
            case ["api", "5", "cohorts", "request-status", job] if job in self._jobs:
                return self._status(job, now)
            case ["api", "5", "cohorts", "request", job, "file"] if self._is_done(job, now):
                return self._file(job, request, now)
        return None

    def signed(self, job: str, request: Request, now: float, *, is_expired: bool) -> Answer:
        if "authorization" in request.headers:
            self._violations.note("our credentials went to another host")
        found = self._jobs.get(job)
        if found is None or is_expired or now > found.link_until:
            expired = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message>"
            return Answer(403, {"content-type": "application/xml"}, expired + b"</Error>")
        self.downloads += 1
        return Answer(200, {"content-type": "binary/octet-stream"}, found.file)

    def _request(self, now: float) -> Answer:
        job = f"req{len(self._jobs)}"
        packed = _packed(sorted(self.members))
        self._jobs[job] = _Job(now, packed[: len(packed) - self.cut_bytes])
        self.cut_bytes = 0
        return json_answer(202, {"request_id": job, "cohort_id": COHORT})

    def _is_done(self, job: str, now: float) -> bool:
        found = self._jobs.get(job)
        return found is not None and now >= found.asked_at + self._job_seconds

    def _status(self, job: str, now: float) -> Answer:
        said: dict[str, object] = {"request_id": job, "cohort_id": COHORT}
        if self._is_done(job, now):
            return json_answer(200, said | {"async_status": "JOB COMPLETED"})
        return json_answer(202, said | {"async_status": "JOB INPROGRESS"})

    def _file(self, job: str, request: Request, now: float) -> Answer:
        if not self._is_large:
            self.downloads += 1
            return Answer(200, {"content-type": "text/csv"}, self._jobs[job].file)
        self._jobs[job].link_until = now + LINK_SECONDS
        port = request.headers.get("host", "").rpartition(":")[2]
        location = f"http://localhost:{port}/signed/{job}?X-Amz-Expires=60"
        return Answer(302, {"location": location}, b"")


def _packed(members: list[str]) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, quoting=csv.QUOTE_ALL)
    rows.writerow(["amplitude_id", "user_id"])
    rows.writerows([[str(10**9 + n), member] for n, member in enumerate(members)])
    return gzip.compress(text.getvalue().encode(), 1)
