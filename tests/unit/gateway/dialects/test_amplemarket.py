"""Amplemarket's webhooks: every kind becomes its event, once however often it is sent."""

from typing import Any

import pytest

from tests.unit.gateway.calls import Reply, call

PROSPECT = {"first_name": "Lin", "email": "lin@lead.test", "sender": {"first_name": "Ada"}}
COMMON = {
    "id": "0f2c9d7e",
    "linkedin_url": "https://linkedin.com/in/example",
    "user": {"email": "ada@vendor.test"},
    "dynamic_fields": PROSPECT,
    "sequence": {"id": "s", "name": "Q1"},
    "contact": {"id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"},
}
DATE = "2026-01-01T00:00:00+00:00"
TIME = 1767225600000
EMAIL = {"from": "ada@vendor.test", "to": ["lin@lead.test"], "date": DATE, "subject": "Hi"}
LINKEDIN = {"linkedin": {"subject": "s", "description": "d", "date": DATE}}
SEQUENCE = {"reply_sequence": {"name": "r"}, "reply_sequence_stage": {"index": 1}}
CALL = {"call": {"date": DATE, "title": "t", "duration": "1970-01-01T00:02:00.000Z"}}
TASK = {"task": {"subject": "s", "user_notes": "", "date": DATE}}
REPLY, STAGE = COMMON | {"is_reply": True}, COMMON | {"is_reply": False}
MESSAGE = {"id": "9d2e", "from": "lin@lead.test", "date": DATE, "tag": ["interested"]}
WORKFLOW = {"email_message": MESSAGE, "lead": {"email": "lin@lead.test"}, "user": {"email": "a@b"}}
KINDS = {
    "workflow": (WORKFLOW, "Amplemarket Reply Tagged"),
    "reply.email": (REPLY | EMAIL, "Amplemarket Email Reply Received"),
    "reply.linkedin": (REPLY | LINKEDIN, "Amplemarket LinkedIn Reply Received"),
    "reply.reply_sequence": (
        REPLY | EMAIL | SEQUENCE,
        "Amplemarket Reply Sequence Email Received",
    ),
    "stage.call": (STAGE | CALL, "Amplemarket Call Completed"),
    "stage.generic_task": (STAGE | TASK, "Amplemarket Task Completed"),
    "stage.linkedin": (STAGE | LINKEDIN, "Amplemarket LinkedIn Step Completed"),
    "stage.reply_sequence": (STAGE | EMAIL | SEQUENCE, "Amplemarket Reply Sequence Email Sent"),
    "stage.email": (STAGE | EMAIL, "Amplemarket Email Sent"),
}


def push(body: object) -> Reply:
    return call("/webhooks/amplemarket/k", body)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_an_event_of_the_prospect(kind: str) -> None:
    body, event_type = KINDS[kind]
    found = push(body)
    assert (found.status, found.json) == (200, {"accepted": 1, "rejected": 0})
    (value,) = found.values
    assert found.keys == [b"lin@lead.test"]
    assert (value["event_type"], value["time"]) == (event_type, TIME)
    assert value["event_properties"]["kind"] == kind
    assert value["user_properties"]["email"] == "lin@lead.test"
    assert "sender" not in value["user_properties"]
    assert "ip" not in value  # The connection is Amplemarket's.


@pytest.mark.parametrize("kind", KINDS)
def test_sent_twice_it_counts_once(kind: str) -> None:
    first, second = push(KINDS[kind][0]).values[0], push(KINDS[kind][0]).values[0]
    assert first["insert_id"] == second["insert_id"]


def test_different_webhooks_count_each() -> None:
    others: list[dict[str, Any]] = [
        REPLY | EMAIL | {"id": "other"},
        REPLY | EMAIL | {"date": "2026-01-02T00:00:00Z"},
        WORKFLOW | {"email_message": MESSAGE | {"tag": ["ooo"]}},
    ]
    bodies = [*(body for body, _ in KINDS.values()), *others]
    ids = [push(body).values[0]["insert_id"] for body in bodies]
    assert len(set(ids)) == len(ids)


def test_without_an_id_equal_webhooks_are_not_duplicates() -> None:
    body = {name: value for name, value in (REPLY | EMAIL).items() if name != "id"}
    assert push(body).values[0]["insert_id"] != push(body).values[0]["insert_id"]


@pytest.mark.parametrize(
    ("members", "user_id"),
    [
        ({}, b"lin@lead.test"),
        ({"dynamic_fields": {"email": None}}, b"6f9619ff-8b86-4d01-b42d-00cf4fc964ff"),
        ({"dynamic_fields": None}, b"6f9619ff-8b86-4d01-b42d-00cf4fc964ff"),
        ({"dynamic_fields": {}, "lead": {"email": "a@lead.test"}}, b"a@lead.test"),
    ],
)
def test_the_prospect_is_the_email_else_the_contact(
    members: dict[str, Any], user_id: bytes
) -> None:
    assert push(REPLY | EMAIL | members).keys == [user_id]


def test_labels_are_the_documented_words() -> None:
    value = push(REPLY | EMAIL | {"labels": ["Not Interested", "ooo"]}).values[0]
    assert value["event_properties"]["labels"] == ["not_interested", "ooo"]


def test_a_calls_duration_is_in_seconds() -> None:
    properties = push(STAGE | CALL).values[0]["event_properties"]
    assert properties["call_duration_seconds"] == 120
    assert properties["call"] == CALL["call"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "unknown_webhook"),
        (STAGE, "unknown_webhook"),
        ({"is_reply": "yes"}, "unknown_webhook"),
        ([REPLY], "not_an_object"),
        ({"is_reply": True, "id": "x"}, "missing_id"),
    ],
)
def test_what_is_no_event_is_kept_and_answered_with_success(body: object, reason: str) -> None:
    found = push(body)
    assert (found.status, found.json) == (200, {"accepted": 0, "rejected": 1})
    assert found.reasons == [reason]


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/webhooks/amplemarket/other", REPLY, 401),
        ("/webhooks/amplemarket/k", b"{", 400),
        ("/webhooks/amplemarket/k/", REPLY | EMAIL, 200),
    ],
)
def test_the_key_is_in_the_path(path: str, body: object, status: int) -> None:
    assert call(path, body).status == status
