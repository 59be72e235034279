"""Users' and devices' ids: which no destination gets. Pure."""

from schemas.strictness import Defect

ID_CHARACTERS_MAX = 2_048  # Amplitude cuts at 1,024; the partition is computed byte by byte.

INVALID_LONG = "00000000-0000-0000-0000-000000000000"
# amplitude.md#ids, "Invalid ID values", with the empty string.
INVALID_IDS = frozenset(
    {
        *("", "anonymous", "nil", "none", "null", "n/a", "na", "undefined", "unknown"),
        *("{}", "lmy47d", "0", "-1", INVALID_LONG),
    }
)
INVALID_SHORT_MAX = max(len(one) for one in INVALID_IDS - {INVALID_LONG})


def ids_defect(user_id: str | None, device_id: str | None) -> Defect | None:
    if user_id is None and device_id is None:
        return Defect("missing_id", "user_id", "neither user_id nor device_id")
    defect = None
    # Most are neither short nor long: to see that costs half of looking for them in the set.
    if user_id is not None and (
        len(bare := user_id.strip()) <= INVALID_SHORT_MAX
        or bare == INVALID_LONG
        or len(user_id) > ID_CHARACTERS_MAX
    ):
        defect = _id_defect("user_id", user_id)
    if device_id is not None and (
        len(bare := device_id.strip()) <= INVALID_SHORT_MAX
        or bare == INVALID_LONG
        or len(device_id) > ID_CHARACTERS_MAX
    ):
        defect = defect or _id_defect("device_id", device_id)
    return defect


def _id_defect(field: str, identifier: str) -> Defect | None:
    if identifier.strip().lower() in INVALID_IDS:
        return Defect("invalid_id", field, f"Amplitude refuses this {field}")
    return length_defect(field, identifier)


def length_defect(field: str, identifier: str | None) -> Defect | None:
    if identifier is None or len(identifier) <= ID_CHARACTERS_MAX:
        return None
    return Defect("invalid_id", field, f"{field} is longer than {ID_CHARACTERS_MAX} characters")
