"""The taxonomy (amplitude-read.md#taxonomy): forms in, and its own two shapes of errors out."""

from collections.abc import Callable
from typing import Any

from ampgate.lab.simulators.forms import form_fields
from ampgate.lab.simulators.model import Answer, Request, json_answer
from ampgate.lab.simulators.reads.answers import query_of

NAMES = {
    "category": "category_name",
    "event": "event_type",
    "event-property": "event_property",
    "user-property": "user_property",
    "group-property": "group_property",
}
PREFIXES = {"user-property": "gp:", "group-property": "grp:"}
TYPES = frozenset({"string", "number", "boolean", "enum", "any"})
_FLAGS = ("is_array_type", "is_required", "is_hidden", "is_active")
Object = dict[str, Any]


class Taxonomy:
    def __init__(self, *, is_enterprise: bool) -> None:
        self._is_enterprise = is_enterprise
        self._objects: dict[str, dict[tuple[str, str], Object]] = {name: {} for name in NAMES}

    def answer(self, parts: list[str], request: Request, _now: float) -> Answer | None:
        """None: it is another API's."""
        if parts[:3] != ["api", "2", "taxonomy"]:
            return None
        if not self._is_enterprise:
            return _failure(404, "Not found")
        match parts[3:]:
            case [resource] if resource in NAMES:
                if request.method == "GET":
                    return self._list(resource, query_of(request))
                if request.method == "POST":
                    return self._create(resource, form_fields(request))
            case [resource, *name, "restore"] if resource in NAMES and name:
                return self._one(resource, "/".join(name), request, self._restore)
            case [resource, *name] if resource in NAMES and name:
                actions = {"GET": self._get, "PUT": self._change, "DELETE": self._delete}
                if request.method in actions:
                    return self._one(resource, "/".join(name), request, actions[request.method])
        return _failure(404, "Not found")

    def _list(self, resource: str, query: dict[str, str]) -> Answer:
        event_type = query.get("event_type", "")
        is_known = ("", event_type) in self._objects["event"]
        if resource == "event-property" and event_type and not is_known:
            return _failure(400, "Not found")
        shows_deleted = query.get("showDeleted") == "true"
        found = [
            self._shown(resource, one)
            for (about, _), one in sorted(self._objects[resource].items())
            if about == event_type and (shows_deleted or not one["deleted"]) and not _hides(one)
        ]
        return _success(found)

    def _create(self, resource: str, fields: dict[str, str]) -> Answer:
        name = fields.get(NAMES[resource], "").removeprefix(PREFIXES.get(resource, ""))
        about = fields.get("event_type", "") if resource == "event-property" else ""
        if not name:
            return _failure(400, f"{NAMES[resource]} is required")
        if about and ("", about) not in self._objects["event"]:
            return _failure(409, f"{about} is not in the schema")
        if (about, name) in self._objects[resource]:
            return _failure(409, f"{name} already exists")
        fault = _fault(fields)
        if fault and resource == "user-property":
            return json_answer(400, {"success": False})  # As documented: without a reason.
        if fault:
            return _failure(400, fault)
        self._objects[resource][about, name] = {"name": name, **_values(fields), "deleted": False}
        return _success()

    def _one(
        self,
        resource: str,
        name: str,
        request: Request,
        act: Callable[[str, Object, dict[str, str]], Answer],
    ) -> Answer:
        fields = {**query_of(request), **form_fields(request)}
        about = fields.get("event_type", "") if resource == "event-property" else ""
        key = (about, name.removeprefix(PREFIXES.get(resource, "")))
        found = self._objects[resource].get(key)
        if found is None:
            return _failure(404 if resource == "user-property" else 400, "Not found")
        return act(resource, found, fields)

    def _get(self, resource: str, found: Object, _fields: dict[str, str]) -> Answer:
        return _success(self._shown(resource, found))

    def _change(self, _resource: str, found: Object, fields: dict[str, str]) -> Answer:
        if fault := _fault(fields):
            return _failure(400, fault)
        found.update(_values(fields))
        return _success()

    def _delete(self, _resource: str, found: Object, _fields: dict[str, str]) -> Answer:
        if found["deleted"]:
            return _failure(409, "already deleted")
        found["deleted"] = True
        return _success()

    def _restore(self, resource: str, found: Object, _fields: dict[str, str]) -> Answer:
        if not found["deleted"]:
            return _failure(409, "not deleted")
        found["deleted"] = False
        return json_answer(201 if resource == "event-property" else 200, {"success": True})

    def _shown(self, resource: str, found: Object) -> Object:
        shown = {name: value for name, value in found.items() if name != "name"}
        if resource == "category":
            return {"id": hash(found["name"]) & 0xFFFF, "name": found["name"]}
        if resource == "event":
            shown.pop("deleted")  # Only what is not in the list without showDeleted tells.
            category = shown.get("category")
            shown["category"] = {"name": category} if category else None
        return {NAMES[resource]: PREFIXES.get(resource, "") + found["name"], **shown}


def _values(fields: dict[str, str]) -> Object:
    """The fields as the answers have them."""
    values: Object = {}
    for name, text in fields.items():
        if name in _FLAGS or name.startswith("is_hidden_from_"):
            values[name] = text == "true"
        elif name in ("tags", "enum_values", "classifications"):
            values[name] = [one.strip() for one in text.split(",") if one.strip()]
        elif name not in NAMES.values():
            values[name] = text
    return values


def _hides(found: Object) -> bool:
    return any(value is True for name, value in found.items() if name.startswith("is_hidden_from"))


def _fault(fields: dict[str, str]) -> str | None:
    if fields.get("type", "any") not in TYPES:
        return "type is none of string, number, boolean, enum, any"
    if fields.get("type") == "enum" and not fields.get("enum_values"):
        return "enum_values is required"
    if "regex" in fields and fields.get("type") != "string":
        return "regex is for type string only"
    return None


def _success(data: object = None) -> Answer:
    return json_answer(200, {"success": True} if data is None else {"success": True, "data": data})


def _failure(status: int, message: str) -> Answer:
    return json_answer(status, {"success": False, "errors": [{"message": message}]})
