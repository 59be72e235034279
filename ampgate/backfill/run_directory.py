"""Where a run keeps its files until it is done: the same command finds them, and goes on.

The directory is named by the command's words, not by the hours that these mean: `--from 7d` means
others an hour later, and history sent anew would count twice. When it began is in a file.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

BEGUN = "begun"  # Milliseconds since the epoch.


@dataclass(frozen=True, slots=True)
class RunDirectory:
    path: Path
    begun_ms: int
    is_going_on: bool  # Begun by an earlier call, which was interrupted.

    def begin(self) -> None:
        if self.is_going_on:
            return
        self.path.mkdir(0o700, parents=True, exist_ok=True)
        part = self.path / (BEGUN + ".part")
        part.write_text(str(self.begun_ms))
        part.replace(self.path / BEGUN)


def run_directory(place: Path, words: tuple[str, ...], now_ms: int) -> RunDirectory:
    """Of the command with these words; the run begins now, unless it has begun."""
    path = place / "_".join(quote(word, safe=":") for word in words)
    file = path / BEGUN
    is_going_on = file.exists()
    return RunDirectory(path, int(file.read_text()) if is_going_on else now_ms, is_going_on)
