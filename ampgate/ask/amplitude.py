"""What Amplitude knows of a user: search, activity, profile (amplitude-read.md)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from ampgate.amplitude_read.budget import Budget
from ampgate.amplitude_read.client import LISTED, Json, ReadClient, read_client
from ampgate.amplitude_read.exchange import Answer, Asked, Exchange
from ampgate.amplitude_read.spending import PROFILES, SEARCHES
from ampgate.ask.answered import Answered, State
from ampgate.check.finding import Finding
from ampgate.errors import CommandError
from schemas.configuration.config import ConfigError
from schemas.configuration.file import is_here
from schemas.vendors.amplitude import AmplitudeDestination

EVENTS_SHOWN = 10
MATCHES_MAX = 3  # One person may have several of Amplitude's ids.
NOT_SEEN = "not seen before"  # The error of a profile that is none;
NOT_SEEN_STATUSES = (400, 404)  # whether it comes with one of these is not documented.


class Match(msgspec.Struct):
    amplitude_id: int
    user_id: str | None = None


class _Matches(msgspec.Struct):
    matches: list[Match]


@dataclass(frozen=True, slots=True)
class _Asking:
    destination: AmplitudeDestination
    client: ReadClient
    user: str

    def answered(
        self, question: str, state: State, says: str, detail: Json | None = None
    ) -> Answered:
        return Answered(self.destination.name, question, state, says, detail or {})

    def failed(self, question: str, error: Exception) -> Answered:
        return self.answered(question, State.FAILED, str(error))


async def ask(
    destination: AmplitudeDestination, user: str, kept_in: Path, say: Callable[[str], None]
) -> Sequence[Answered]:
    if destination.secret_key is None:
        says = "the destination has no secret_key"
        return [Answered(destination.name, "search", State.NOT_ASKED, says)]
    try:
        async with read_client(destination, kept_in, say) as client:
            asking = _Asking(destination, client, user)
            return [*await _search(asking), await _profile(asking, kept_in, say)]
    except ConfigError as error:
        return [Answered(destination.name, "search", State.NOT_ASKED, str(error))]


async def check(destination: AmplitudeDestination, kept_in: Path) -> Sequence[Finding]:
    """Whether the keys of its read side are good."""
    if destination.secret_key is None:
        return []
    if not (is_here(destination.api_key) and is_here(destination.secret_key)):
        says = "its secret_key, or its api_key, cannot be read here: they were not tried"
        return [Finding(destination.name, says, advice="run check where the secrets are")]
    try:
        async with read_client(destination, kept_in) as client:
            await client.json(Asked(LISTED))
    except (CommandError, ConfigError) as error:
        fix = "correct its secret_key, its region or read_url: both keys are of one project"
        return [Finding(destination.name, f"does not let itself be read: {error}", fix)]
    return [Finding(destination.name, "accepts the secret key")]


async def _search(asking: _Asking) -> Sequence[Answered]:
    question = "search"
    try:
        asked = Asked("/api/2/usersearch", [("user", asking.user)])
        answer = await asking.client.ask(asked, SEARCHES)
        found = msgspec.json.decode(answer.body, type=_Matches).matches
    except (CommandError, msgspec.DecodeError, UnicodeDecodeError) as error:
        return [asking.failed(question, error)]
    # The search also finds users whose id begins so.
    same = [one for one in found if one.user_id == asking.user] or (
        found if len(found) == 1 and not _begins_so(found[0], asking.user) else []
    )
    if not same:
        others = f"; {len(found)} others begin so" if found else ""
        return [asking.answered(question, State.UNKNOWN, f"nobody of that id{others}")]
    numbers = ", ".join(str(one.amplitude_id) for one in same)
    detail: Json = {"matches": [msgspec.to_builtins(one) for one in same]}
    known = asking.answered(question, State.KNOWN, f"Amplitude's id is {numbers}", detail)
    return [known, *[await _activity(asking, one) for one in same[:MATCHES_MAX]]]


def _begins_so(match: Match, user: str) -> bool:
    return match.user_id is not None and match.user_id.startswith(user)


async def _activity(asking: _Asking, match: Match) -> Answered:
    query = [("user", str(match.amplitude_id)), ("limit", str(EVENTS_SHOWN))]
    try:
        found = await asking.client.json(Asked("/api/2/useractivity", query), SEARCHES)
    except CommandError as error:
        return asking.failed("activity", error)
    about, events = found.get("userData"), found.get("events")
    summary = about if isinstance(about, dict) else {}
    newest = events[0] if isinstance(events, list) and events else None
    says = f"{summary.get('num_events', '?')} events"
    if isinstance(newest, dict):
        says += f", the newest: {newest.get('event_type')} at {newest.get('event_time')}"
    return asking.answered("activity", State.KNOWN, says, found)


async def _profile(asking: _Asking, kept_in: Path, say: Callable[[str], None]) -> Answered:
    url, secret = asking.destination.profile_url, asking.destination.secret_key
    if url is None or secret is None:
        return asking.answered("profile", State.NOT_ASKED, "Amplitude has none in this region")
    login = {"authorization": f"Api-Key {secret.get_secret_value()}"}
    budget = Budget(f"{url} {secret.get_secret_value()}", kept_in)
    query = partial(_profile_query, asking.user)
    try:
        async with Exchange(url) as exchange:
            client = ReadClient(asking.destination.name, exchange, login, budget, say)
            for name in ("user_id", "device_id"):
                answer = await client.ask(query(name), PROFILES, its=NOT_SEEN_STATUSES)
                if (found := _of_profile(asking, answer)) is not None:
                    return found
    except CommandError as error:
        return asking.failed("profile", error)
    return asking.answered("profile", State.UNKNOWN, "no profile of that id")


def _profile_query(user: str, name: str) -> Asked:
    more = [("get_amp_props", "true"), ("get_cohort_ids", "true")]
    return Asked("/v1/userprofile", [(name, user), *more])


def _of_profile(asking: _Asking, answer: Answer) -> Answered | None:
    """None: Amplitude has seen nobody of that id."""
    try:
        found = msgspec.json.decode(answer.body, type=Json)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:  # Of a wrong address.
        says = str(error) if answer.status == 200 else f"status {answer.status}"
        return asking.answered("profile", State.FAILED, says)
    about = found.get("userData")
    if not isinstance(about, dict):
        says = str(found.get("error", "the answer is not as documented: no userData"))
        return None if NOT_SEEN in says else asking.answered("profile", State.FAILED, says)
    properties = about.get("amp_props")
    names = sorted(properties) if isinstance(properties, dict) else []
    says = f"{len(names)} properties" + (f": {', '.join(names[:10])}" if names else "")
    return asking.answered("profile", State.KNOWN, says, found)
