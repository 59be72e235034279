"""The command `ampgate replay`."""

import asyncio
from typing import Annotated

import typer

from ampgate.archive.archive import archive
from ampgate.cli.configuration import configuration
from ampgate.cli.options import (
    From,
    Rate,
    To,
    Yes,
    moment,
    now_ms,
    require_consent,
    say_where_it_stops,
)
from ampgate.cli.printing import Json, errors, json_line
from ampgate.cli.projects import destination_named
from ampgate.cli.resending import resending, say_written
from ampgate.resend import replay as replaying
from ampgate.resend.parking import Run
from ampgate.resend.replay import Chosen, Plan
from ampgate.resend.writer import Writer
from schemas.configuration.config import Config
from schemas.vendors import vendor_of
from schemas.vendors.vendor import ConfiguredDestination


def replay(
    destination: Annotated[str, typer.Option(help="The one that gets them again.")],
    from_: From,
    to: To,
    user: Annotated[str | None, typer.Option(help="Only this user_id, or device_id.")] = None,
    event_type: Annotated[str | None, typer.Option(help="Only events of this type.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would do.")] = False,
    rate: Rate = None,
    yes: Yes = False,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with a run that was interrupted.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Send one destination the records of some time again; says first what would count twice."""
    say_where_it_stops()
    config = configuration()
    configured = destination_named(config, destination)
    # A run that goes on has the records that it had: its 2h ago were before it began.
    begun = moment(resume) if resume is not None else now_ms()
    if from_.ms(begun) >= to.ms(begun):
        raise typer.BadParameter("--from is not before --to")
    chosen = Chosen(from_.ms(begun), to.ms(begun), user, event_type)
    run = _Run(config, configured, chosen, begun, is_resumed=resume is not None)
    try:
        asyncio.run(run(rate=rate, dry_run=dry_run, yes=yes, as_json=as_json))
    except replaying.UnknownRunError as error:
        raise typer.BadParameter(str(error), param_hint="--resume") from error
    except KeyboardInterrupt:
        written = run.writing.written if run.writing is not None else 0
        errors.print(
            f"ampgate: interrupted after {written} records; go on with --resume {run.name}",
            style="red",
        )
        raise typer.Exit(1) from None
    if run.writing is not None and run.writing.refused:
        raise typer.Exit(1)


class _Run:
    """One replay, from plan to end; it knows how many records are written."""

    def __init__(
        self,
        config: Config,
        destination: ConfiguredDestination,
        chosen: Chosen,
        begun_ms: int,
        *,
        is_resumed: bool,
    ) -> None:
        self._config = config
        self._destination = destination
        self._chosen = chosen
        self._is_resumed = is_resumed
        self._begun_ms = begun_ms
        self.writing: Writer | None = None

    @property
    def name(self) -> str:
        return self._as_run().at

    def _as_run(self) -> Run:
        return Run(self._config.kafka.topics.parked, self._begun_ms)

    async def __call__(
        self, *, rate: float | None, dry_run: bool, yes: bool, as_json: bool
    ) -> None:
        async with archive(self._config.kafka) as kafka:
            prepared = await replaying.prepare(
                *(self._config, self._destination, kafka, self._chosen),
                resumed=self.name if self._is_resumed else None,
            )
            plan = await prepared.plan(kafka, now_ms())
            vendor = vendor_of(self._destination).title
            words = in_words(plan, vendor, prepared.dedupe_days)
            typer.echo(json_line(plan, run=self.name) if as_json else words)
            if dry_run or not plan.to_send:
                return
            question = f"Send {plan.to_send} records to {plan.destination} again?"
            require_consent(question, yes=yes)
            # Told before: whatever ends it may leave no time to say so.
            errors.print(f"if it is interrupted, go on with --resume {self.name}")
            async with resending(self._config.kafka, plan.to_send, rate=rate) as self.writing:
                await prepared.send(kafka, self._as_run(), self.writing)
        say_written(self.writing, as_json=as_json)


def in_words(plan: Plan, vendor: str, dedupe_days: int) -> str:
    lines = [
        f"{plan.matching:>8} records match",
        *(
            f"{count:>8} {what}"
            for count, what in (
                (plan.not_yet_delivered, "are left: they still wait for their delivery"),
                (plan.not_taken, "are left: the destination does not take them"),
                (plan.sent_before, "are left: the interrupted run has sent them"),
            )
            if count
        ),
        f"{plan.to_send:>8} to send to {plan.destination}",
    ]
    if plan.outside_dedupe_window:
        lines.append(
            f"{plan.outside_dedupe_window:>8} of these are older than {vendor}'s dedupe window of"
            f" {dedupe_days} days: they would COUNT TWICE"
        )
    if plan.never_deduped:
        lines.append(
            f"{plan.never_deduped:>8} of these go where {vendor} dedupes nothing:"
            " they would COUNT TWICE"
        )
    return "\n".join(lines)
