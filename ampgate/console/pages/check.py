"""Check: whether everything is in place, and how to fix what is not."""

from collections.abc import Mapping

from fastapi import APIRouter
from starlette.responses import Response

from ampgate.check.check import check
from ampgate.console.desk import Visiting

router = APIRouter()


@router.get("/check")
async def show(visit: Visiting) -> Response:
    async def find() -> Mapping[str, object]:
        findings = await check(visit.config)
        # What fails comes first, then what is only advised.
        ordered = sorted(findings, key=lambda one: (one.ok, not one.advice))
        failed = sum(not one.ok for one in findings)
        return {"findings": ordered, "failed": failed}

    return visit.searched("check.html", "check_part.html", {}, find)
