"""What it costs to compare many events: `python -m benchmarks.reconciliation [EVENTS]`.

The files that `ampgate reconcile` has once Kafka was read and the export is downloaded are made up,
by DuckDB; then a process of its own reads and joins them. One event in a thousand is missing.

10 million events on two cores: 76 s of CPU and 338 MB at most (577 s while seven other jobs shared
the cores, at the lowest priority). Reading Kafka before that is 5 us of CPU a record, in 145 MB.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from ampgate.amplitude_read.export import Exported
from ampgate.amplitude_read.hours import HOUR_MS, Hours
from ampgate.reconcile.comparison import comparison

EVENTS = 10_000_000
WINDOWS = 24
FIRST = 490_000  # An hour since 1970.
SENT = """
copy (select uuid_of(n) as insert_id, 'Type ' || n % 50 as event_type,
    'device-' || n % 200_000 as device_id, 'user-' || n % 200_000 as user_id,
    $1 + n % 86_400_000 as time, $1 + n % 86_400_000 as accepted,
    0 as topic, n % 12 as partition, n // 12 as "offset", true as settled
from range($2) as records(n)) to '{file}' (format json)
"""
ROWS = """
copy (select uuid_of(n) as "$insert_id", 'Type ' || n % 50 as event_type,
    'device-' || n % 200_000 as device_id, 'user-' || n % 200_000 as user_id,
    strftime(epoch_ms($1 + n % 86_400_000), '%Y-%m-%d %H:%M:%S.%f') as server_upload_time,
    repeat('x', 400) as event_properties, n as amplitude_id
from range($2, $3) as rows(n) where n % 1000 <> 7)
to '{file}' (format json, compression gzip)
"""


def make(directory: Path, events: int) -> None:
    """A day of events, and an export of 24 windows."""
    with duckdb.connect() as database:
        database.execute("set memory_limit = '500MB'")
        database.execute("create macro uuid_of(n) as md5(n::varchar)")
        start = FIRST * HOUR_MS
        database.execute(SENT.format(file=directory / "sent.ndjson"), [start, events])
        for window in range(WINDOWS):
            place = directory / str(window)
            place.mkdir()
            first, last = (events * n // WINDOWS for n in (window, window + 1))
            rows = ROWS.format(file=place / "0.json.gz")
            database.execute(rows, [start, first, last])
    (directory / "traces.ndjson").touch()


def compare(directory: Path) -> None:
    began = time.monotonic()
    with comparison(directory, FIRST * HOUR_MS, (FIRST + 24) * HOUR_MS) as compared:
        compared.read_sent(directory / "sent.ndjson", directory / "traces.ndjson")
        print(f"what was sent is read after {time.monotonic() - began:.0f} s", flush=True)
        for window in range(WINDOWS):
            compared.read_rows(Exported(Hours(FIRST, FIRST), directory / str(window), 1, 1))
        print(f"the export is read after {time.monotonic() - began:.0f} s", flush=True)
        compared.compare()
        found = compared.outcomes(range(FIRST, FIRST + 24))
    delivered, missing = (sum(getattr(one, n) for one in found) for n in ("delivered", "missing"))
    print(f"{delivered} events, {missing} missing, after {time.monotonic() - began:.0f} s")


def main() -> None:
    if sys.argv[1:2] == ["compare"]:
        compare(Path(sys.argv[2]))
        return
    events = int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS
    with tempfile.TemporaryDirectory() as name:
        make(Path(name), events)
        made = resource.getrusage(resource.RUSAGE_CHILDREN)
        process = (sys.executable, "-m", "benchmarks.reconciliation", "compare", name)
        subprocess.run(process, check=True)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = used.ru_utime + used.ru_stime - made.ru_utime - made.ru_stime
        print(f"{cpu:.0f} s of CPU, {used.ru_maxrss / 1000:.0f} MB at most")


if __name__ == "__main__":
    main()
