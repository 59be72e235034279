"""What Aampe would show a user: its Content API (aampe.md#content)."""

from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from ampgate.amplitude_read.exchange import NO_ANSWER, Answer, Asked, Exchange
from ampgate.ask.answered import Answered, State
from ampgate.check.finding import Finding
from schemas.configuration.file import is_here
from schemas.vendors.aampe import AampeDestination

PATH = "/v1/surface/content"
NOBODY = "ampgate-check"
NO_SURFACE = "00000000-0000-4000-8000-000000000000"
KNOWS_THE_KEY = (200, 404, 422)  # It was looked at before the question was.


async def ask(
    destination: AampeDestination, user: str, _kept_in: Path, _say: Callable[[str], None]
) -> Sequence[Answered]:
    if (lacking := _lacks(destination)) is not None:
        return [Answered(destination.name, "content", State.NOT_ASKED, lacking)]
    answer = await _ask(destination, user, [str(one) for one in destination.surfaces])
    return [_judged(destination.name, answer)]


async def check(destination: AampeDestination, _kept_in: Path) -> Sequence[Finding]:
    """Whether the key of its Content API is good."""
    name = destination.name
    if destination.content_api_key is None:
        return []
    if not is_here(destination.content_api_key):
        says = "its content_api_key cannot be read here: it was not tried"
        return [Finding(name, says, advice="run check where the secrets are")]
    answer = await _ask(destination, NOBODY, [str(one) for one in destination.surfaces])
    if answer.status not in KNOWS_THE_KEY or answer.is_page:
        fix = "correct its content_api_key, its region or read_url; the api_key is another key"
        return [Finding(name, f"does not let its content be read: {_words(answer)}", fix)]
    advice = "" if destination.surfaces else "name surfaces: ampgate ask asks for none without"
    return [Finding(name, "accepts the content_api_key", advice=advice)]


def _lacks(destination: AampeDestination) -> str | None:
    if destination.content_api_key is None:
        return "the destination has no content_api_key"
    if not is_here(destination.content_api_key):
        return "its content_api_key cannot be read here"
    return None if destination.surfaces else "the destination has no surfaces"


async def _ask(destination: AampeDestination, user: str, surfaces: Sequence[str]) -> Answer:
    assert destination.content_api_key is not None, "who asks has looked for the key"
    query = [("contact_id", user), *(("surface_id", one) for one in surfaces or [NO_SURFACE])]
    headers = {"x-api-key": destination.content_api_key.get_secret_value()}
    async with Exchange(destination.reading_url) as exchange:
        return await exchange.ask(Asked(PATH, query, headers))


def _judged(name: str, answer: Answer) -> Answered:
    if answer.status == 404 and not answer.is_page:
        return Answered(name, "content", State.UNKNOWN, "no surface has content for them")
    if answer.status != 200:
        return Answered(name, "content", State.FAILED, _words(answer))
    try:
        found = msgspec.json.decode(answer.body, type=list[dict[str, object]])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return Answered(name, "content", State.FAILED, f"the answer is not as documented: {error}")
    assigned = [f"{one.get('surface_id')}: {one.get('assignment_id')}" for one in found]
    state = State.KNOWN if assigned else State.UNKNOWN  # It may never have seen them.
    return Answered(name, "content", state, "; ".join(assigned) or "nothing assigned", found)


def _words(answer: Answer) -> str:
    match answer.status:
        case status if status == NO_ANSWER:
            return f"no answer ({answer.body.decode(errors='replace')})"
        case 401 | 403:
            return f"the key is refused (status {answer.status})"
        case status:
            return f"status {status}" + (" and a page of HTML" if answer.is_page else "")
