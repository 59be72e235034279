"""A result's file that is whole or not there: what was in it before stays until then."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def whole_file(file: Path) -> Iterator[BinaryIO]:
    """It gets its name once all is written. A pipe or a device is written to as it is."""
    if file.exists() and not file.is_file():
        with file.open("wb") as opened:
            yield opened
        return
    place = file.resolve()  # A link stays a link.
    part = place.with_name(f"{place.name}.part")
    try:
        with part.open("wb") as opened:
            yield opened
            opened.flush()
            os.fsync(opened.fileno())
        if place.exists():
            shutil.copymode(place, part)
        part.replace(place)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
