"""What `ampgate dev` says once all is ready: where everything is, and what to try."""

import shlex
import shutil
import sys
from pathlib import Path

from rich.console import Console

from ampgate.console.access import link
from ampgate.lab.dev.configuration import CONFIGURATION_FILE, KEY, Options
from schemas.configuration.config import Config

USER = "ann@example.org"


def announce(edge: str, config: Config, options: Options, console: Console) -> None:
    admin_port = config.edge.admin_port
    admin = edge if admin_port is None else f"http://127.0.0.1:{admin_port}"
    delivery = f"http://127.0.0.1:{config.delivery.admin_port}"
    token = config.console.token
    console.print("[bold green]ampgate is ready[/]; Ctrl-C stops it")
    # Nothing is wrapped, whatever the terminal's width: it is there to be copied.
    for name, url in (  # First what a browser opens.
        ("console", link(config.console, None if token is None else token.get_secret_value())),
        ("documentation", f"{admin}/docs"),
        ("edge, for SDKs", edge),
        ("delivery metrics", f"{delivery}/metrics"),
        ("Amplitude received", f"http://127.0.0.1:{options.amplitude_port}/_received"),
        ("Aampe received", f"http://127.0.0.1:{options.aampe_port}/_received"),
        ("Kafka", config.kafka.bootstrap_servers),
    ):
        console.print(f"  {name:<20}{url}", highlight=False, soft_wrap=True)
    event = f"""{{"event_type": "Sign Up", "user_id": "{USER}"}}"""
    console.print("Send an event:")
    console.print(
        f"  curl {edge}/v1/events -H 'Authorization: Bearer {KEY}' -d '{event}'",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    console.print("See where it is:")
    console.print(
        f"  AMPGATE_CONFIG={shlex.quote(str(options.data_dir / CONFIGURATION_FILE))}"
        f" {command()} trace --user {USER}",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def command() -> str:
    """What a shell calls us: in an environment that is not activated, by our path."""
    beside_python = Path(sys.executable).with_name("ampgate")
    if shutil.which("ampgate") or not beside_python.exists():
        return "ampgate"
    return shlex.quote(str(beside_python))
