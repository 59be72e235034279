"""The commands of the lab: everything on one machine, simulators, and chaos."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ampgate.cli.send import readable
from ampgate.lab.chaos import command as chaos_command
from ampgate.lab.dev import dev as machine
from ampgate.lab.dev.configuration import Options
from schemas.vendors import SYSTEMS, VENDORS

_POLLED = sorted({system.simulator for system in SYSTEMS.values()})
_UPSTREAM = f"UPSTREAM:{{{'|'.join([*VENDORS, *_POLLED])}}}"


def register(app: typer.Typer) -> None:
    app.command()(dev)
    app.command()(simulate)
    chaos_command.register(app)


def dev(
    data_dir: Annotated[Path, typer.Option(help="Where Kafka keeps its records.")] = Path(
        ".ampgate"
    ),
    kafka_port: Annotated[int, typer.Option(help="The embedded Kafka's.", min=1, max=65535)] = 9092,
    amplitude_port: Annotated[
        int, typer.Option(help="The Amplitude simulator's.", min=1, max=65535)
    ] = 9101,
    aampe_port: Annotated[
        int, typer.Option(help="The Aampe simulator's.", min=1, max=65535)
    ] = 9102,
    pulls: Annotated[
        Path | None,
        typer.Option(help="Run the pulls of this file, too, each of a simulated system."),
    ] = None,
) -> None:
    """Run everything on this machine: Kafka, the edge, the delivery, and simulated upstreams."""
    sections = None if pulls is None else readable(str(pulls)).read_text()
    machine.run(Options(data_dir, kafka_port, amplitude_port, aampe_port, sections), Console())


def _registered(upstream: str) -> str:
    if upstream not in VENDORS and upstream not in _POLLED:
        names = ", ".join(f"'{name}'" for name in (*VENDORS, *_POLLED))
        raise typer.BadParameter(f"'{upstream}' is not one of {names}.")
    return upstream


def simulate(
    upstream: Annotated[str, typer.Argument(parser=_registered, metavar=_UPSTREAM)],
    port: Annotated[int, typer.Option(min=0, max=65535)],
    host: str = "127.0.0.1",
    size: Annotated[
        int | None, typer.Option(min=0, help="So many objects has a system that is polled.")
    ] = None,
) -> None:
    """Run a strict fake of an upstream, with the real one's limits and error bodies."""
    if size is not None and upstream not in _POLLED:
        raise typer.BadParameter(f"{upstream} is not polled", param_hint="--size")
    from ampgate.lab.simulators.app import serve  # Only this process needs it.

    serve(upstream, host, port, size=size)
