"""How the edge and the delivery log: one line an entry, on standard error.

JSON where machines collect it, words and colours on a terminal. Libraries' lines go the same way,
from warnings up: their debug lines may show records. No line shows local variables, which may hold
keys.
"""

import logging
import os
import sys
import time
from collections.abc import Mapping
from select import PIPE_BUF, POLLOUT, poll
from typing import TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from schemas.configuration.config import ConfigError

LEVEL_VARIABLE = "AMPGATE_LOG_LEVEL"
LEVELS = ("debug", "info", "warning", "error")
OURS = ("ampgate", "consumers", "gateway", "schemas")
REPEATED_SECONDS = 60.0  # A library that cannot reach Kafka logs the same line twice a second.
KNOWN_MAX = 1_000
# Of a commit that failed we say it ourselves, with what follows (consumers/kafka/committing.py).
TOLD_BY_US = ("aiokafka.consumer.group_coordinator", "OffsetCommit failed")
STALL_SECONDS = 1.0  # For a reader that is slow; then lines are lost until it reads again.
log = structlog.get_logger()


def level_of(environment: Mapping[str, str]) -> str:
    level = environment.get(LEVEL_VARIABLE, "info").lower()
    if level not in LEVELS:
        raise ConfigError(f"{LEVEL_VARIABLE}: {level!r} is none of {', '.join(LEVELS)}")
    return level


def configure(process: str, level: str) -> None:
    """Configure logging for this process and the processes that it forks."""

    def name_process(_: WrappedLogger, __: str, entry: EventDict) -> EventDict:
        entry["process"] = process
        return entry

    facts: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", key="time", utc=True),
        name_process,
    ]
    handler = StandardError()
    handler.addFilter(Libraries())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(on_terminal=sys.stderr.isatty()),
            ],
            foreign_pre_chain=facts,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *facts,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def _rendering(*, on_terminal: bool) -> list[Processor]:
    if on_terminal:
        plain = structlog.dev.plain_traceback
        has_colors = not os.environ.get("NO_COLOR")  # https://no-color.org
        return [
            structlog.dev.ConsoleRenderer(
                colors=has_colors, exception_formatter=plain, timestamp_key="time"
            )
        ]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(ensure_ascii=False),
    ]


class StandardError(logging.StreamHandler[TextIO]):
    """Standard error as it is when a line is written: it may be replaced after the start.

    A pipe whose reader has stopped would stop us, too: lines that it does not take are lost.
    """

    def __init__(self) -> None:
        logging.Handler.__init__(self)
        self._lost = 0  # Lines, since the last one that was taken.
        self._is_cut = False  # The last one was begun.

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
            if not self._is_taken(b"\n" * self._is_cut + line):
                self._lost += 1
                return
            lost, self._lost = self._lost, 0
            if lost:
                log.warning("standard error took no more, log lines are lost", lines=lost)
        except OSError:  # The disk is full, or its reader is gone.
            self._lost += 1

    def _is_taken(self, line: bytes) -> bool:
        """Write it, at most so much at once as a pipe takes that says that it is ready."""
        self.stream.flush()
        try:
            number = self.stream.fileno()
        except OSError:  # A program that runs us in itself may have replaced it by anything.
            self.stream.write(line.decode())
            return True
        ready = poll()
        ready.register(number, POLLOUT)
        for start in range(0, len(line), PIPE_BUF):
            if not ready.poll(0 if self._lost else STALL_SECONDS * 1000):
                return False
            os.write(number, line[start : start + PIPE_BUF])
            self._is_cut = start + PIPE_BUF < len(line)
        return True

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        raise AttributeError("it is always standard error")


class Libraries(logging.Filter):
    """Libraries' lines from warnings up, the same one once a minute."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.partition(".")[0] in OURS:
            return True
        if record.levelno < logging.WARNING:
            return False
        words = (record.name, record.getMessage())
        if all(map(str.startswith, words, TOLD_BY_US)):
            return False
        now = time.monotonic()
        if now - self._said.get(words, float("-inf")) < REPEATED_SECONDS:
            return False
        if len(self._said) >= KNOWN_MAX:
            self._said.clear()
        self._said[words] = now
        return True
