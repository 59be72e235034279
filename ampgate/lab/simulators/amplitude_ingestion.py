"""Amplitude's ingestion API as a pure model (amplitude.md#request to
amplitude.md#order-of-validation).

All or nothing: whatever is not a 200 stored nothing (amplitude.md#partial-success). What a correct
client never does is noted as a violation, also where Amplitude itself would let it pass.
"""

from collections.abc import Mapping

from ampgate.lab.simulators.amplitude_events import decode_list, decode_object, decode_upload
from ampgate.lab.simulators.amplitude_identify import IdentifyEndpoint, identifications
from ampgate.lab.simulators.amplitude_project import AmplitudeOptions, Project, unpacked
from ampgate.lab.simulators.amplitude_upload import UploadEndpoint
from ampgate.lab.simulators.forms import form_fields
from ampgate.lab.simulators.model import (
    FAIR,
    Answer,
    Conditions,
    Received,
    Request,
    Violations,
    json_answer,
)

UPLOADS = ("/2/httpapi", "/batch")
IDENTIFIES = ("/identify", "/groupidentify")


class Ingestion:
    def __init__(self, options: AmplitudeOptions) -> None:
        self._options = options
        self.reset()

    def reset(self) -> None:
        """A new project: nothing stored, nobody held."""
        self._project = Project(self._options)
        self._endpoints: dict[str, UploadEndpoint | IdentifyEndpoint] = {
            **{path: UploadEndpoint(path, self._project) for path in UPLOADS},
            **{path: IdentifyEndpoint(path, self._project) for path in IDENTIFIES},
        }

    @property
    def received(self) -> list[Received]:
        return self._project.received

    @property
    def violations(self) -> Violations:
        return self._project.violations

    def answer(self, request: Request, now: float, conditions: Conditions = FAIR) -> Answer:
        endpoint = self._endpoints.get(request.path)
        if endpoint is None:
            return json_answer(400, {"code": 400, "error": "Invalid request path"})
        return endpoint.answer(request, now, conditions)

    def records(self, request: Request) -> list[dict[str, object]]:
        if request.path in IDENTIFIES:
            raws = identifications(form_fields(request))
        else:
            body = unpacked(request, self._options.body_max_bytes.get(request.path, 0))
            upload = decode_upload(body) if body else None
            raws = decode_list(upload.events) if upload else None
        return [decode_object(raw) for raw in raws or ()]

    def properties(self, owner: Mapping[str, str]) -> dict[str, object] | None:
        """Of `user_id`, `device_id`, or `group_type` and `group_value`."""
        if "group_type" in owner:
            return self._project.groups.of(f"{owner['group_type']}:{owner.get('group_value', '')}")
        return self._project.users.of(owner.get("user_id") or owner.get("device_id") or "")

    def stats(self) -> dict[str, object]:
        project = self._project
        return {
            "accepted": sum(project.accepted.values()),
            "accepted_by_endpoint": dict(project.accepted),
            "distinct_insert_ids": project.dedupe.distinct,
            "duplicates": project.dedupe.duplicates,
            "without_insert_id": project.without_insert_id,
            "dead": project.dead.total(),
            "throttled_answers": project.answered_throttled,
            "users": len(project.users),
            "groups": len(project.groups),
            "property_updates_ignored": project.users.ignored + project.groups.ignored,
        }
