"""`GET /api/2/export` (amplitude-read.md#export): a zip of gzip files with an event a line."""

import io
import re
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

import orjson
from isal import igzip

from ampgate.lab.simulators.model import Answer, Request
from ampgate.lab.simulators.reads.answers import error, query_of
from ampgate.lab.simulators.reads.rows import APP, event_of, exported
from ampgate.lab.simulators.spool import HOUR_MS, Spool

EVENTS_A_FILE = 50_000
DAYS_MAX = 365
BYTES_MAX = 4_000_000_000  # As it is sent; the page does not say whether before it is packed.
_HOUR = re.compile(r"\d{8}T\d{2}")


class Export:
    """`lag_seconds`: so long after its end an hour is shown; Amplitude's own are about 7,200."""

    def __init__(
        self, accepted: Spool, *, lag_seconds: float = 0.0, bytes_max: int = BYTES_MAX
    ) -> None:
        self._accepted = accepted
        self._lag_seconds = lag_seconds
        self._bytes_max = bytes_max

    def answer(self, parts: list[str], request: Request, now: float) -> Answer | None:
        if parts != ["api", "2", "export"]:
            return None
        query = query_of(request)
        hours = [_hour(query.get(name, "")) for name in ("start", "end")]
        first, last = hours
        if first is None or last is None or first > last:
            return error(400, "start and end must be hours, as in 20260105T09, in this order")
        if last - first >= DAYS_MAX * 24:
            return error(400, "the range is longer than 365 days")
        archive = io.BytesIO()
        is_empty = True
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as zipped:
            for hour in range(first, last + 1):
                if self._lag_seconds and (hour + 1) * 3600 + self._lag_seconds > now:
                    break
                for name, packed in self._files(hour):
                    zipped.writestr(name, packed)
                    is_empty = False
                    if archive.tell() > self._bytes_max:
                        return error(400, "the export is larger than 4 GB")
        if is_empty:
            return error(404, "no data in this range")
        return Answer(200, {"content-type": "application/zip"}, archive.getvalue())

    def _files(self, hour: int) -> Iterator[tuple[str, bytes]]:
        lines = self._lines(hour)
        began = datetime.fromtimestamp(hour * 3600, UTC)
        number = 0
        while some := list(islice(lines, EVENTS_A_FILE)):
            name = f"{APP}/{APP}_{began:%Y-%m-%d}_{began.hour}#{number}.json.gz"
            yield name, igzip.compress(b"".join(some), compresslevel=1)
            number += 1

    def _lines(self, hour: int) -> Iterator[bytes]:
        for row in self._accepted.rows_of(hour):
            event = event_of(row) if row.copies else None
            if event is not None:
                for copy in range(row.copies):
                    found = exported(event, row, copy)
                    yield orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE)


def _hour(text: str) -> int | None:
    """Hours since 1970."""
    if not _HOUR.fullmatch(text):
        return None
    try:
        found = datetime.strptime(text[:8], "%Y%m%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    if int(text[9:]) > 23:
        return None
    return int((found + timedelta(hours=int(text[9:]))).timestamp() * 1000) // HOUR_MS
