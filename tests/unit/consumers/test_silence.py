"""Of a Kafka that hangs the log has a line, though nothing that was asked has failed."""

from structlog.testing import capture_logs

from consumers.silence import Silence


def test_the_log_has_a_line_when_kafka_answers_no_more_and_one_when_it_does_again() -> None:
    silence = Silence("amplitude-us", "event")
    with capture_logs() as said:
        for is_reached in (True, True, False, False, True, True):
            silence.look(is_reached=is_reached)
    assert [line["event"] for line in said] == [
        "Kafka does not answer, waiting for it",
        "Kafka answers again",
    ]
    assert {line["destination"] for line in said} == {"amplitude-us"}
