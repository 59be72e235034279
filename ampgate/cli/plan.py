"""The commands about tracking plans."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import orjson
import typer

from ampgate.amplitude_read.budget import directory
from ampgate.amplitude_read.client import read_client
from ampgate.cli.configuration import configuration
from ampgate.cli.options import Since, Yes, new_file, require_consent
from ampgate.cli.planning import (
    difference_in_words,
    proposal_in_words,
    tell,
    write,
    wrong_in_words,
)
from ampgate.cli.printing import Json, errors, json_line, progress_bar, warn
from ampgate.cli.projects import amplitude_project
from ampgate.cli.send import readable
from ampgate.plan import compared
from ampgate.plan.checked import check_file
from ampgate.plan.compared import Proposal
from ampgate.plan.drift import Difference, Drift
from ampgate.plan.observed import Json as Tree
from ampgate.plan.observed import Observed
from ampgate.plan.sent import See, in_file, in_kafka
from ampgate.plan.taxonomy_client import Taxonomy
from schemas.configuration.config import ConfigError
from schemas.plans.document import PlanError
from schemas.plans.plan import Plan, plan_at
from schemas.topics import Kind
from schemas.vendors.readable import ReadableDestination

app = typer.Typer(
    help="Tracking plans: which events and properties there are.", no_args_is_help=True
)
Out = Annotated[
    Path | None,
    typer.Option("--out", parser=new_file, metavar="FILE", help="Write it there."),
]
PlanFile = Annotated[Path, typer.Argument(metavar="PLAN", help="The plan's file.")]
Project = Annotated[str, typer.Option("--destination", help="An Amplitude destination.")]
Records = Annotated[
    Path | None,
    typer.Option("--from", parser=readable, metavar="FILE", help="NDJSON, in place of Kafka."),
]


@app.command()
def pull(destination: Project, out: Out = None) -> None:
    """Write a plan from Amplitude's taxonomy."""
    write(_pulled(amplitude_project(configuration(), destination)), out)


@app.command()
def infer(
    since: Since = None,
    records: Records = None,
    enums: Annotated[
        int,
        typer.Option(min=0, max=1_000, help="Texts with so many different values are an enum."),
    ] = 0,
    out: Out = None,
) -> None:
    """Write a plan from what was sent: it has all of it, and nothing else."""
    observed, seen = Observed(enums), 0

    def see(kind: Kind, value: bytes, _source: str) -> None:
        nonlocal seen
        seen += 1
        observed.see(kind, value)

    _see(see, since, records)
    write(observed.plan(), out)
    errors.print(f"of {observed.records} records")
    if others := seen - observed.records:
        errors.print(f"{others} were passed over: they are no records", style="yellow")


@app.command()
def diff(
    plan: PlanFile,
    destination: Annotated[
        str | None, typer.Option(help="Compare with the taxonomy of this Amplitude destination.")
    ] = None,
    since: Since = None,
    records: Records = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Add to the plan what was sent and is not in it.")
    ] = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Show how a plan differs from what was sent, or from Amplitude's taxonomy: both ways."""
    planned, tree = _plan(plan), _tree(plan)
    found: list[Difference] = []
    if destination is not None:
        taxonomy = _pulled(amplitude_project(configuration(), destination))
        found += compared.differences(tree, taxonomy)
    looks = destination is None or since is not None or records is not None
    if apply and not looks:
        raise typer.BadParameter("--apply is for what was sent: with --since or --from")
    drift = Drift(planned)
    if looks:
        _see(drift.see, since, records)
        found += drift.differences()
    lines = [json_line(one) if as_json else difference_in_words(one) for one in found]
    tell(lines, None if apply else out)
    if apply:
        write(drift.applied(tree), out or plan)


@app.command()
def push(
    plan: PlanFile,
    destination: Project,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be added.")
    ] = False,
    yes: Yes = False,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Add what Amplitude's taxonomy does not have of a plan; nothing there is changed."""
    _plan(plan)
    project = amplitude_project(configuration(), destination)
    proposed = list(compared.proposals(_tree(plan), _pulled(project)))
    if dry_run or not as_json:
        tell((json_line(one) if as_json else proposal_in_words(one) for one in proposed), out)
    if dry_run or not proposed:
        errors.print(f"{len(proposed)} to be added to the taxonomy of {destination}")
        return
    require_consent(f"Add these {len(proposed)} to the taxonomy of {destination}?", yes=yes)
    added = asyncio.run(_push(project, proposed))
    if as_json:
        lines = (json_line(one, added=one in added) for one in proposed)
        tell(lines, out)
    errors.print(f"{len(added)} added to the taxonomy of {destination}")


@app.command()
def check(
    file: Annotated[Path, typer.Argument(parser=readable, help="NDJSON; - is standard input.")],
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Without it, the one that is configured.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="The plan of this source.")] = None,
    out: Out = None,
    as_json: Json = False,
) -> None:
    """Say which records of a file violate a plan; exit code 1 if any does."""
    found = 0

    def lines() -> Iterator[str]:
        nonlocal found
        for wrong in check_file(_plan(plan or _configured(source)), file):
            found += 1
            yield json_line(wrong) if as_json else wrong_in_words(wrong)

    tell(lines(), out)
    errors.print(f"{found} violations")
    if found:
        raise typer.Exit(1)


def _see(see: See, since: int | None, records: Path | None) -> None:
    if records is not None:
        in_file(records, see)
    else:
        asyncio.run(in_kafka(configuration(), since, see))


def _pulled(project: ReadableDestination) -> Tree:
    return asyncio.run(_pull(project))


async def _pull(project: ReadableDestination) -> Tree:
    done = 0
    with progress_bar("percent of the event types", 100) as advance:

        def on_progress(count: int, total: int) -> None:
            nonlocal done
            before, done = done, 100 * count // total
            advance(done - before)

        async with read_client(project, directory(os.environ), warn) as client:
            return await Taxonomy(client, on_progress).plan()


async def _push(project: ReadableDestination, proposed: list[Proposal]) -> list[Proposal]:
    """Those that were added."""
    added: list[Proposal] = []
    async with read_client(project, directory(os.environ), warn) as client:
        taxonomy = Taxonomy(client, lambda _done, _total: None)
        for one in proposed:
            if await taxonomy.add(one.resource, one.fields):
                added.append(one)
            else:
                warn(f"{proposal_in_words(one)}: it is there already, perhaps deleted or hidden")
    return added


def _plan(file: Path) -> Plan:
    try:
        return plan_at(file)
    except PlanError as error:
        lines = str(error).splitlines()
        raise ConfigError("\n".join(f"plan {file}: {line}" for line in lines)) from error


def _tree(file: Path) -> Tree:
    tree: Tree = orjson.loads(file.read_bytes())
    return tree


def _configured(source: str | None) -> Path:
    """The plan of this source, or the only one that is configured."""
    config = configuration()
    if source is not None:
        known = {one.name: one.plan for one in config.sources}
        if (path := known.get(source)) is None:
            raise ConfigError(f"there is no source {source} with a plan")
        return path
    plans = {one.plan for one in (*config.sources, config.delivery) if one.plan is not None}
    if len(plans) != 1:
        raise ConfigError("say which plan: --plan FILE or --source NAME")
    return plans.pop()
