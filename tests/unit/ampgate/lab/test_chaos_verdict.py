"""How `ampgate chaos` judges: it sees every way in which a promise can be broken."""

from dataclasses import replace

import pytest

from ampgate.lab.chaos.verdict import Counted, DeadLetter, Evidence, judge, judge_pulled

SENT = ["ann-0", "bob-0", "ann-1", "bob-1"]
ONE_EACH = {"delivered": 2, "skipped": 1, "waiting": 0, "lost": 1}
BALANCED = Counted(4, 4, 1, {"amplitude-chaos": ONE_EACH})
PLACES = {"ann-0": ["e/0/0"], "bob-0": ["e/1/0"], "ann-1": ["e/0/1", "e/0/2"], "bob-1": ["e/1/1"]}
GOOD = Evidence(
    acknowledged=SENT,
    refused=[],
    stored=PLACES,
    deleted={"e/0/0"},
    lost={},
    late=(),
    amplitude=["bob-0", "ann-0", "ann-1", "bob-1"],
    aampe=["ann-0", "ann-1", "ann-0", "bob-0", "ann-1", "bob-1"],
    unusable={"chaos.events/0/9": "no JSON"},
    dead_letters=[
        DeadLetter("chaos.events/0/9", "amplitude-chaos", "not_json"),
        DeadLetter("chaos.events/0/9", "aampe-chaos", "not_json"),
        DeadLetter("chaos.events/0/9", "aampe-chaos", "not_json"),
    ],
    unsettled={"chaos.amplitude-chaos.events": 0},
    violations=["/batch: user 'ann' was held and came 2.0 s before its time"],
    troubles=[],
    counted=BALANCED,
)


def failed(evidence: Evidence) -> set[str]:
    return {finding.subject for finding in judge(evidence) if not finding.ok}


def test_repetitions_to_kafka_and_aampe_are_no_failure() -> None:
    assert failed(GOOD) == set()


@pytest.mark.parametrize(
    ("broken", "subject"),
    [
        (replace(GOOD, refused=["429: too much"]), "clients"),
        (replace(GOOD, stored={one: PLACES[one] for one in SENT[:-1]}), "Kafka"),
        (replace(GOOD, lost={"aampe-chaos": {"e/1/1"}}), "lost"),
        (replace(GOOD, amplitude=SENT[:-1]), "Amplitude"),
        (replace(GOOD, amplitude=[*SENT, "ann-2"]), "Amplitude"),
        (replace(GOOD, amplitude=[*SENT, "ann-0"]), "Amplitude, repetitions"),
        (replace(GOOD, amplitude=["ann-1", "ann-0", "bob-0", "bob-1"]), "Amplitude, order"),
        (replace(GOOD, aampe=SENT[1:]), "Aampe"),
        (replace(GOOD, aampe=["bob-1", *SENT]), "Aampe, order"),
        (
            replace(
                GOOD, dead_letters=[*GOOD.dead_letters, DeadLetter("a/0/3", "aampe-chaos", "")]
            ),
            "dead letters",
        ),
        (replace(GOOD, dead_letters=GOOD.dead_letters[:1]), "dead letters"),
        (replace(GOOD, unsettled={"chaos.aampe-chaos.events": 1}), "waiting"),
        (replace(GOOD, violations=["/batch: no api_key"]), "the destinations' rules"),
        (replace(GOOD, troubles=["edge-3 ended by itself, with status 1"]), "processes"),
        (replace(GOOD, counted=None), "counters"),
        (replace(GOOD, counted=replace(BALANCED, accepted=3)), "counters"),
        (
            replace(GOOD, counted=replace(BALANCED, settled={"a": {"delivered": 2, "lost": 1}})),
            "counters",
        ),
        (replace(GOOD, counted=replace(BALANCED, settled={"a": {"delivered": 4}})), "counters"),
        (replace(GOOD, counted=replace(BALANCED, deleted=2)), "counters"),
    ],
)
def test_what_is_broken_is_found(broken: Evidence, subject: str) -> None:
    assert failed(broken) == {subject}


FIRST_LOST = replace(GOOD, lost={"aampe-chaos": {"e/0/0"}}, aampe=["ann-1", "bob-0", "bob-1"])


def test_what_kafka_deleted_unread_may_be_missing_where_it_is_counted_as_lost() -> None:
    assert failed(FIRST_LOST) == set()
    assert failed(replace(FIRST_LOST, lost={"amplitude-chaos": {"e/0/0"}})) == {"Aampe"}
    # It is there twice, and only one of the two is lost.
    both = {**PLACES, "ann-0": ["e/0/0", "e/0/3"]}
    assert failed(replace(FIRST_LOST, stored=both)) == {"Aampe"}


def test_an_unusable_record_that_is_lost_has_no_letter() -> None:
    origin = "chaos.events/0/9"
    lost = replace(GOOD, deleted={origin}, lost={"aampe-chaos": {origin}})
    assert failed(replace(lost, dead_letters=GOOD.dead_letters[:1])) == set()
    assert failed(replace(lost, dead_letters=GOOD.dead_letters[1:])) == {"dead letters"}


def test_events_may_come_after_newer_ones_if_written_late_or_if_an_earlier_copy_is_lost() -> None:
    moved = replace(GOOD, aampe=["ann-1", "ann-0", "bob-0", "bob-1"])
    assert failed(moved) == {"Aampe, order"}
    assert failed(replace(moved, late={"ann-0"})) == set()
    assert failed(replace(moved, late={"bob-0"})) == {"Aampe, order"}
    half = replace(moved, stored={**PLACES, "ann-0": ["e/0/0", "e/0/3"]})
    assert failed(replace(half, lost={"aampe-chaos": {"e/0/0"}})) == set()


@pytest.mark.parametrize(
    ("arrived", "violations", "failed_"),
    [
        (["a", "b", "b"], [], []),
        (["a"], [], ["Amperity"]),
        (["a", "b", "c"], [], ["Amperity"]),
        (["a", "b"], ["too many requests"], ["Amperity's rules"]),
    ],
)
def test_of_a_pull_every_profile_has_to_come_within_the_rules(
    arrived: list[str], violations: list[str], failed_: list[str]
) -> None:
    found = judge_pulled({"a", "b"}, arrived, violations)
    assert [one.subject for one in found if not one.ok] == failed_
