"""Suppressed users, whose records are neither stored nor delivered; one is added, or lifted."""

import time
from collections.abc import Mapping
from urllib.parse import urlencode

from fastapi import APIRouter
from starlette.responses import RedirectResponse, Response

from ampgate.console.desk import RefusedError, Visiting
from ampgate.suppress import suppressing
from schemas.letters import timestamp
from schemas.suppressions import AT, Suppression

router = APIRouter()
SHOWN_MAX = 200
NAME_MAX, REASON_MAX = 2_048, 500


@router.get("/suppressions")
async def show(visit: Visiting) -> Response:
    part, done = visit.query("q").lower(), visit.query("done")

    async def find() -> Mapping[str, object]:
        kafka = visit.config.kafka
        listed = await suppressing.listed(kafka)
        found = [one for one in listed if part in one.name.lower()]
        now_ms = time.time_ns() // 1_000_000
        copies = await suppressing.copies(kafka, now_ms) if done == "added" else []
        return {"total": len(listed), "found": found[:SHOWN_MAX], "copies": copies}

    context = {
        "q": visit.query("q"),
        "done": done,
        "by": visit.query("by"),
        "configured": len(visit.config.edge.suppressed_user_ids),
    }
    return visit.searched("suppressions.html", "suppressions_part.html", context, find)


@router.post("/suppressions")
async def change(visit: Visiting) -> Response:
    said = await visit.form()
    name = named(said)
    if said.get("action") == "add":
        by = f"console {visit.session.name}"
        reason = said.get("reason", "")[:REASON_MAX]
        what = Suppression(reason, timestamp(time.time()), by)
        await suppressing.add(visit.config.kafka, [name], what, lambda _: None)
        visit.audit("suppression added", name=name, reason=reason)
        return RedirectResponse("/suppressions?done=added", 303)
    lifted, stays = await suppressing.remove(visit.config, [name], lambda _: None)
    visit.audit("suppression lifted", name=name, keys=lifted)
    by = next(iter(stays.values()), "")
    done = "stays" if by else "lifted" if lifted else "nobody"
    return RedirectResponse(f"/suppressions?{urlencode({'done': done, 'by': by})}", 303)


def named(said: Mapping[str, str]) -> str:
    """A user id, or @domain."""
    name = said.get("name", "")
    if not name.strip(AT) or len(name) > NAME_MAX:
        raise RefusedError("Name a user id, or a domain as @shop.example.", 400)
    return name
