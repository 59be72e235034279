"""How `ampgate chaos` judges: it sees every way in which a promise can be broken."""

from dataclasses import replace

import pytest

from ampgate.lab.chaos.verdict import Counted, DeadLetter, Evidence, judge, judge_pulled

SENT = ["ann-0", "bob-0", "ann-1", "bob-1"]
BALANCED = Counted(4, 4, {"amplitude-chaos": {"delivered": 3, "skipped": 1, "waiting": 0}})
GOOD = Evidence(
    acknowledged=SENT,
    refused=[],
    stored=[*SENT, "ann-1"],
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
        (replace(GOOD, stored=SENT[:-1]), "Kafka"),
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
        (replace(GOOD, counted=replace(BALANCED, settled={"a": {"delivered": 3}})), "counters"),
    ],
)
def test_what_is_broken_is_found(broken: Evidence, subject: str) -> None:
    assert failed(broken) == {subject}


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
