"""One strictness: what is taken as a record, every strict parser of JSON reads as it is."""

import json
import math

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from schemas import strictness
from schemas.events import (
    EventFacts,
    read_event,
    read_group_identification,
    read_identification,
)
from schemas.strictness import LEVELS_MAX, Defect, holds_only_doubles, strictness_defect
from tests.examples import examples

IN_RANGE = [
    "1e308",
    "-1.7976931348623157e308",
    "1e-999",
    "0e999",
    "9" * 308,
    "1" + "0" * 400 + "e-400",
]
IN_RANGE += [
    "0." + "0" * 400 + "1e401",
    "179769313486231580793728971405301e276",
    "1E+007",
    "12e306",
]
OUT_OF_RANGE = [
    "1e999",
    "-1e999",
    "1E+309",
    "1.8e308",
    "1" + "0" * 309,
    "-" + "9" * 400,
    "9" * 5_000,
]
OUT_OF_RANGE += ["1" * 250 + "e99", "0." + "0" * 10 + "1e400", "123456789e301"]
PLACES = [
    b'{"user_id":"u","event_type":"e","event_properties":{"x":%b}}',
    b'{"user_id":"u","event_type":"e","user_properties":{"x":[{"y":%b}]}}',
    b'{"user_id":"u","event_type":"e","groups":{"x":%b}}',
    b'{"user_id":"u","event_type":"e","price":%b}',
    b'{"user_id":"u","event_type":"e","unknown":%b}',
    b'{"user_id":"u","unknown":{"deep":[1,%b]} , "event_type":"e"}',
    b'{"user_id":"u","event_type":"e","x":"' + b"x" * 40_000 + b'","y":%b}',
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", OUT_OF_RANGE)
def test_a_number_that_no_double_holds_makes_its_event_unusable(place: bytes, number: str) -> None:
    defect = read_event(place % number.encode())

    assert isinstance(defect, Defect)
    assert defect.reason == "number_out_of_range"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", IN_RANGE)
def test_every_number_that_a_double_holds_is_taken(place: bytes, number: str) -> None:
    assert isinstance(read_event(place % number.encode()), EventFacts)


@pytest.mark.parametrize("field", ["time", "session_id", "event_id"])
@pytest.mark.parametrize("number", OUT_OF_RANGE)
def test_a_whole_number_out_of_range_is_named_so_where_it_is_read(field: str, number: str) -> None:
    defect = read_event(
        b'{"user_id":"u","event_type":"e","%b":%b}' % (field.encode(), number.encode())
    )

    assert isinstance(defect, Defect)
    assert defect.reason == "number_out_of_range"


@pytest.mark.parametrize("number", OUT_OF_RANGE)
def test_properties_of_users_and_groups_hold_only_doubles_too(number: str) -> None:
    user = read_identification(b'{"user_id":"u","user_properties":{"x":%b}}' % number.encode())
    group = read_group_identification(
        b'{"group_type":"t","group_value":"v","group_properties":{"x":%b}}' % number.encode()
    )

    for defect in (user, group):
        assert isinstance(defect, Defect)
        assert defect.reason == "number_out_of_range"


@pytest.mark.parametrize("text", ["1e999", '\\"1e999', "9" * 400, "\\\\", "[" * 50])
def test_a_text_may_look_like_such_a_number(text: str) -> None:
    properties = b'{"x":"%b","%b":1}' % (text.encode(), text.encode())

    assert isinstance(read_event(PLACES[3] % properties), EventFacts)
    assert isinstance(read_event(PLACES[4] % properties), EventFacts)


DIGITS = st.text("0123456789", min_size=1, max_size=6)
EXPONENTS = st.one_of(st.just(""), st.from_regex(r"\A[eE][+-]?[0-9]{1,5}\Z"))
WHOLE = st.one_of(st.just("0"), st.from_regex(r"\A[1-9][0-9]{0,5}\Z"))
NUMBERS = st.builds(
    lambda sign, whole, zeros, fraction, exponent: (
        sign + whole + ("0" * zeros if whole != "0" else "") + fraction + exponent
    ),
    st.sampled_from(["", "-"]),
    WHOLE,
    st.sampled_from([0, 0, 1, 40, 193, 200, 290, 302, 303, 304, 310, 700]),
    st.one_of(st.just(""), DIGITS.map(".{}".format)),
    EXPONENTS,
)
STRINGS = st.text(st.sampled_from('e1"\\[{}],:.+- é'), max_size=8).map(json.dumps)
VALUES = st.recursive(
    NUMBERS | STRINGS | st.sampled_from(["true", "false", "null"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4).map(lambda found: "[" + ",".join(found) + "]"),
        st.lists(st.tuples(STRINGS, inner), max_size=4).map(
            lambda found: "{" + " , ".join(f"{name} : {value}" for name, value in found) + "}"
        ),
    ),
    max_leaves=12,
)


def only_doubles(text: str) -> bool:
    """As the standard library reads it."""
    found: list[float] = []

    def number(digits: str) -> float:
        found.append(float(digits))
        return 0.0

    json.loads(text, parse_float=number, parse_int=number)
    return all(map(math.isfinite, found))


@examples(500)
@given(VALUES, st.sampled_from(PLACES))
def test_the_standard_library_orjson_and_we_agree_on_every_number(value: str, place: bytes) -> None:
    record = place % value.encode()
    if b'"groups"' in place:
        record = record.replace(b'"groups"', b'"unread"')
    found = read_event(record)
    try:
        orjson.loads(record)
        taken = True
    except orjson.JSONDecodeError:
        taken = False

    assert taken == only_doubles(value)
    assert taken == isinstance(found, EventFacts)
    if isinstance(found, Defect):
        assert found.reason == "number_out_of_range"


@examples(500)
@given(VALUES)
def test_a_large_record_is_judged_as_a_small_one(value: str) -> None:
    text = value.encode()
    padded = b'["%b",%b]' % (b"x" * strictness.TREE_BYTES_MAX, text)

    assert holds_only_doubles(padded) == holds_only_doubles(text) == only_doubles(value)


def levels(tree: object) -> int:
    if isinstance(tree, list):
        return 1 + max(map(levels, tree), default=0)
    return 0


@examples(300)
@given(VALUES, st.integers(0, 45))
def test_levels_are_counted_as_a_parser_would(value: str, around: int) -> None:
    text = ("[" * around + value + "]" * around).encode()
    if not only_doubles(value):
        return
    defect = strictness_defect(text)

    # A name may come twice: the value that a parser drops counts, too.
    tree = json.loads(text, object_pairs_hook=lambda members: [value for _, value in members])
    assert (defect is not None) == (levels(tree) > LEVELS_MAX + 1)


CONTAINERS = st.recursive(
    st.just("[]"), lambda inner: st.lists(inner, max_size=3).map(lambda of: f"[{','.join(of)}]")
)


@examples(300)
@given(st.lists(st.tuples(CONTAINERS, st.integers(0, 44)), min_size=1, max_size=4))
def test_levels_of_brackets_alone_are_counted_as_a_parser_would(
    several: list[tuple[str, int]],
) -> None:
    text = ",".join("[" * around + inner + "]" * around for inner, around in several)
    tree = json.loads(f"[{text}]")

    assert (strictness_defect(f"[{text}]".encode()) is not None) == (levels(tree) > LEVELS_MAX + 1)


MEMBERS = st.sampled_from(
    ["user_id", "event_type", "time", "insert_id", "ip", "x", "\\u0075ser_id"]
)
ODDITIES = st.sampled_from(
    [
        *('"a"', '"b"', "1", "null", "NaN", "-Infinity", "01", "1.", '"\\ud800"', '"\\x"'),
        *('"\\ud83d\\ude00"', '"\x01"', "18446744073709551616", "-9223372036854775809", "1e5"),
        *("{}", "[", "\ufeff1", '"\ud800"'),
    ]
)


@examples(1_000)
@given(
    st.lists(st.tuples(MEMBERS, ODDITIES), max_size=5),
    st.sampled_from(["", " ", "\ufeff", "\x00", "}", "\n"]),
    st.booleans(),
)
def test_an_event_is_read_as_orjson_reads_it(
    members: list[tuple[str, str]], beside: str, before: bool
) -> None:
    """Malformed to both or to neither, and of a member that is there twice the last one counts."""
    text = "{" + ",".join(f'"{name}":{value}' for name, value in members) + "}"
    record = (beside + text if before else text + beside).encode("utf-8", "surrogatepass")
    found = read_event(record)
    try:
        tree = orjson.loads(record)
    except orjson.JSONDecodeError:
        assert isinstance(found, Defect)
        assert found.reason == "not_json"
        return
    assert found != Defect("not_json", "", "")
    if isinstance(found, EventFacts):
        for name in ("user_id", "event_type", "time", "insert_id", "ip"):
            value = getattr(found, name)
            if isinstance(value, int):  # Over 64 bits orjson reads it as a double.
                value = type(tree[name])(value)
            assert value == tree.get(name, UNSET if name == "ip" else None)
    else:
        assert found.reason in {"missing_id", "missing_event_type", "invalid_type", "not_an_object"}
