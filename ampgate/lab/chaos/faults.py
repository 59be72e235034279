"""What a simulator is told to do wrong: the faults of each destination, drawn from a seed. Pure."""

from collections.abc import Mapping, Sequence
from random import Random

Rule = Mapping[str, object]
"""A rule of a simulator's script (`ampgate.lab.simulators.fault_rules`)."""

THROTTLED_USERS = 3
_LARGE_PAGE = "x" * 3_000_000
SMALL_BODY_BYTES = (1_000, 8_000)  # One event always fits.


AMPLITUDE, AAMPE, AMPERITY = "amplitude", "aampe", "amperity"  # As `ampgate simulate` has them.


def faults(kind: str, random: Random, users: Sequence[str]) -> Mapping[str, Sequence[Rule]]:
    """All of a simulator's faults, by their names."""
    found = _passing(random)
    if kind == AMPERITY:
        return found | _of_pages(random)
    key_refused = "an invalid API key" if kind == AMPLITUDE else "status 401"
    status = 400 if kind == AMPLITUDE else 401
    body = {"code": 400, "error": "Invalid API key: k"} if status == 400 else {"detail": "no"}
    found |= {
        key_refused: [{"effect": {"kind": "answer", "status": status, "body": body}}],
        "throttled users": [
            {"match": {"id": user}, "effect": {"kind": "throttle"}}
            for user in random.sample(users, min(THROTTLED_USERS, len(users)))
        ],
    }
    found |= _odd_answers(kind, random)
    if kind == AMPLITUDE:
        size = random.randint(*SMALL_BODY_BYTES)
        found["status 401"] = [{"effect": {"kind": "answer", "status": 401}}]
        found["status 413"] = [{"effect": {"kind": "max_body_bytes", "bytes": size}}]
    return found


def _passing(random: Random) -> dict[str, Sequence[Rule]]:
    """What any API has now and then."""
    retry_after = {"retry-after": str(random.randint(0, 2))}
    return {
        "resets before the request is read": _often(random, kind="reset", when="before"),
        "lost answers": _often(random, kind="reset", when="after"),
        "status 503": [{"effect": {"kind": "answer", "status": 503, "headers": retry_after}}],
        "a proxy's 502": _often(random, kind="html", status=502),
        "slow answers": _often(random, kind="delay", seconds=0.2, jitter_seconds=1.5),
    }


def _of_pages(random: Random) -> dict[str, Sequence[Rule]]:
    """What happens to who reads page by page."""
    return {
        "status 429": _often(random, kind="answer", status=429),
        "pages that are cut off": _often(random, kind="cut", bytes=random.randint(1, 500)),
        "lost cursors": _often(random, kind="expire"),
    }


def _odd_answers(kind: str, random: Random) -> Mapping[str, Sequence[Rule]]:
    """What no destination says: a proxy, a sign-in page, or something broken on the way."""
    status = random.choice((402, 407, 410, 418, 421, 451))
    absurd = {"retry-after": random.choice(("-5", "nan", "soon", "\u00b2", "Thu, 01 Jan 0001"))}
    success = 200 if kind == AMPLITUDE else 202
    return {
        "an unknown 4xx": _often(random, kind="answer", status=status, body="no"),
        "a proxy's 400": _often(random, kind="html", status=400),
        "a sign-in page": _often(random, kind="html", status=200),
        "a failure with a 2xx": _often(
            random, kind="answer", status=success, body={"code": 500, "error": "no"}
        ),
        "status 425": _often(random, kind="answer", status=425),
        "an absurd Retry-After": _often(random, kind="answer", status=503, headers=absurd),
        "a page of 3 MB": _often(random, kind="answer", status=502, body=_LARGE_PAGE),
    }


def _often(random: Random, **effect: object) -> Sequence[Rule]:
    return [{"probability": round(random.uniform(0.2, 0.9), 2), "effect": effect}]
