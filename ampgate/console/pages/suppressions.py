"""Suppressions: whose records are neither stored nor delivered."""

from fastapi import APIRouter
from starlette.responses import Response

from ampgate.console.desk import Visiting

router = APIRouter()


@router.get("/suppressions")
async def show(visit: Visiting) -> Response:
    return visit.page(
        "suppressions.html", {"configured": len(visit.config.edge.suppressed_user_ids)}
    )
