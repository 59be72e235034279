"""Public clients of Amplitude's read APIs, which none of us wrote, read the simulator unmodified.

Airbyte's is not among the tests' packages, as it brings a hundred others of older versions:
`AMPGATE_READ_CLIENTS` names a Python that has it (`pip install airbyte-source-amplitude`).
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.loopback import loopback_client
from tests.operating import simulating
from tests.sdks.amplitude_address import answering_for_amplitude

PYTHON = os.environ.get("AMPGATE_READ_CLIENTS", sys.executable)
WRAPPER = """
import gzip, io, json, sys, zipfile
from amplitude_data_wrapper import analytics_api as amplitude

keys = {"api_key": "k", "secret": "s", "region": "us"}
first, last, file = sys.argv[1:]
found = amplitude.find_user("user-1", **keys).json()["matches"]
event = {"event_type": "Bought"}
counted = amplitude.get_event_segmentation(
    start=first[:8], end=last[:8], event=event, metrics="totals", **keys
)
amplitude.export_project_data(first, last, "k", "s", file, region="us")
with zipfile.ZipFile(file) as archive:
    rows = [gzip.decompress(archive.read(name)).splitlines() for name in archive.namelist()]
(series,) = counted.json()["data"]["series"]
print(json.dumps([found[0]["user_id"], sum(series), sum(map(len, rows))]))
"""

# Airbyte's own HTTP client asks no environment whom to trust.
SOURCE = """
import os
from requests import adapters
adapters.DEFAULT_CA_BUNDLE_PATH = os.environ["REQUESTS_CA_BUNDLE"]
from source_amplitude.run import run
run()
"""


def has(package: str) -> bool:
    if sys.executable == PYTHON:
        return find_spec(package) is not None
    return subprocess.run([PYTHON, "-c", f"import {package}"], capture_output=True).returncode == 0


@pytest.fixture
async def environment(tmp_path: Path) -> AsyncIterator[Mapping[str, str]]:
    """Of a client; the project has five events of one user."""
    events = [{"event_type": "Bought", "user_id": "user-1", "insert_id": f"i{n}"} for n in range(5)]
    async with simulating("amplitude") as url, loopback_client() as client:
        await client.post(f"{url}/batch", json={"api_key": "k", "events": events})
        async with answering_for_amplitude(url, tmp_path) as found:
            yield found


async def run(environment: Mapping[str, str], *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(PYTHON, *arguments), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return out.decode()


@pytest.mark.skipif(not has("amplitude_data_wrapper"), reason="amplitude-data-wrapper is not here")
async def test_amplitude_data_wrapper_finds_a_user_counts_events_and_exports_an_hour(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    now = time.time()  # They were uploaded in this hour, or at the end of the one before.
    hours = [time.strftime("%Y%m%dT%H", time.gmtime(at)) for at in (now - 3_600, now)]
    out = await run(environment, "-c", WRAPPER, *hours, str(tmp_path / "export.zip"))

    assert json.loads(out.splitlines()[-1]) == ["user-1", 5, 5]


@pytest.mark.skipif(not has("source_amplitude"), reason="airbyte-source-amplitude is not here")
async def test_airbytes_source_checks_and_reads_every_stream(
    environment: Mapping[str, str], tmp_path: Path
) -> None:
    config, catalog = tmp_path / "config.json", tmp_path / "catalog.json"
    start = time.strftime("%Y-%m-%dT%H:00:00Z", time.gmtime(time.time() - 3_600))
    config.write_text(json.dumps({"api_key": "k", "secret_key": "s", "start_date": start}))
    source = ("-c", SOURCE)
    checked = messages(await run(environment, *source, "check", "--config", str(config)))
    assert [one["connectionStatus"] for one in checked if "connectionStatus" in one] == [
        {"status": "SUCCEEDED"}
    ]

    found = messages(await run(environment, *source, "discover", "--config", str(config)))
    (streams,) = [one["catalog"]["streams"] for one in found if "catalog" in one]
    assert isinstance(streams, list)
    how = {"sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    chosen = [{"stream": one, **how} for one in streams]
    catalog.write_text(json.dumps({"streams": chosen}))
    arguments = ("read", "--config", str(config), "--catalog", str(catalog))
    read = messages(await run(environment, *source, *arguments))
    records = [one["record"] for one in read if "record" in one]
    counts = {name: sum(one["stream"] == name for one in records) for name in ("events", "cohorts")}
    assert counts == {"events": 5, "cohorts": 1}


def messages(out: str) -> list[dict[str, dict[str, object]]]:
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]
