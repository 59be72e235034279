"""The process of the command: `ampgate`, and `python -m ampgate`."""

import codecs
import faulthandler
import json
import os
import signal
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import NoReturn

from ampgate.own_packages import hidden

ESCAPED = "ampgate.escaped"
INTERRUPTED = 128 + signal.SIGINT


def run() -> NoReturn:
    """Run the command, and end the process without Python's own finalization.

    The HTTP client (pyreqwest, in Rust) has threads that live to the end. One that drops a Python
    object while the interpreter is finalized aborts the process: `PyGILState_Release`, exit 134,
    in 2 of 30 runs behind a proxy that answers 502. Whatever has to be closed is closed by then.
    """
    status = 1
    # The imports take a second or more; a command that does not reload lets it through then.
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    codecs.register_error(ESCAPED, _escaped)
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors=ESCAPED)
    with suppress(RuntimeError, ValueError, OSError):  # There is no standard error.
        faulthandler.enable()  # A crash in native code says where.
    try:
        if (fault := hidden()) is not None:
            sys.exit(f"ampgate: {fault}")
        from ampgate.cli.main import main

        main()
        status = 0
    except SystemExit as ended:
        status = _status(ended)
    except KeyboardInterrupt:  # As the command itself is interrupted, also while it is imported.
        status = INTERRUPTED
    except BaseException:  # noqa: BLE001  As Python itself ends.
        sys.excepthook(*sys.exc_info())
    for stream in (sys.stdout, sys.stderr):
        if stream is None:
            continue  # It was closed before we began.
        try:
            stream.flush()
        except OSError as error:  # The reader is gone, or the disk is full.
            status = status or 1
            if not isinstance(error, BrokenPipeError):
                with suppress(OSError):
                    print(f"ampgate: {error}", file=sys.stderr)
    os._exit(status)


def _escaped(error: UnicodeError) -> tuple[str, int]:
    """What the terminal's encoding has not, as JSON escapes it: so JSON stays JSON."""
    assert isinstance(error, UnicodeEncodeError), "only output is written so"
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


def _status(ended: SystemExit) -> int:
    if ended.code is None or isinstance(ended.code, int):
        return ended.code or 0
    print(ended.code, file=sys.stderr)
    return 1


if __name__ == "__main__":
    run()
