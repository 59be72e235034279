"""What `ampgate dev` runs with: its options, and the configuration that it writes of them."""

import os
from dataclasses import dataclass
from pathlib import Path

from ampgate.console.access import made_token
from ampgate.lab.dev.pulls import pointed_there
from schemas.configuration.config import Config
from schemas.configuration.file import load

KEY = "dev"
CONFIGURATION_FILE = "ampgate.toml"

FIRST_LINE = "# Written by `ampgate dev` at each start: changes do not last."
CONFIGURATION = """\
{first_line}
[kafka]
bootstrap_servers = "{bootstrap_servers}"

[edge]
host = "127.0.0.1"

[delivery]
admin_host = "127.0.0.1"
drain_timeout_seconds = 2.5

[console]
token = "{token}"

[[sources]]
name = "dev"
write_key = "{key}"
allowed_origins = ["*"]

[[destinations]]
name = "amplitude-dev"
type = "amplitude"
api_key = "dev"
base_url = "http://127.0.0.1:{amplitude_port}"
secret_key = "dev"
read_url = "http://127.0.0.1:{amplitude_port}"

[[destinations]]
name = "aampe-dev"
type = "aampe"
region = "us-east1"
api_key = "dev"
base_url = "http://127.0.0.1:{aampe_port}"
read_url = "http://127.0.0.1:{aampe_port}"
content_api_key = "dev"
surfaces = ["7d3b9e6e-2b0e-4c0f-9a51-3c4e8f6f2a10"]
"""


@dataclass(frozen=True, slots=True)
class Options:
    data_dir: Path = Path(".ampgate")
    kafka_port: int = 9092
    amplitude_port: int = 9101
    aampe_port: int = 9102
    pulls: str | None = None  # Sections [[pulls]], as TOML.


def configure(options: Options, bootstrap_servers: str) -> Config:
    """Write the configuration, for our children to read as we do."""
    path = (options.data_dir / CONFIGURATION_FILE).resolve()
    pulls = "" if options.pulls is None else pointed_there(options.pulls)
    text = CONFIGURATION.format(
        first_line=FIRST_LINE,
        bootstrap_servers=bootstrap_servers,
        key=KEY,
        token=made_token(),
        amplitude_port=options.amplitude_port,
        aampe_port=options.aampe_port,
    )
    path.touch(0o600)  # The console's token is in it.
    path.write_text(f"{text}\n{pulls}")
    os.environ["AMPGATE_CONFIG"] = str(path)
    return load(path, os.environ)
