"""Builds the compiled reference, `benchmarks/reference`, outside of the tree."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).with_name("reference")
USUAL_PLACE = "/usr/local/go/bin/go"  # Where Go's own installer puts it.
BUILD_SECONDS = 300.0
REASON_LINES = 3


@dataclass(frozen=True, slots=True)
class Reference:
    """The program, and the compiler that made it."""

    program: Path
    version: str


@dataclass(frozen=True, slots=True)
class NoReference:
    reason: str


def build(directory: Path) -> Reference | NoReference:
    """The program in this directory, or why there is none."""
    go = shutil.which("go") or shutil.which(USUAL_PLACE)
    if go is None:
        return NoReference(f"there is no Go on the PATH, nor at {USUAL_PLACE}")
    program = directory / "reference"
    # Neither git nor a C compiler is needed, and no other Go is fetched than the one that is there.
    settings = {"GOFLAGS": "-mod=readonly", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"}
    environment = {**os.environ, **settings}
    command = [go, "build", "-buildvcs=false", "-o", str(program), "."]
    try:
        subprocess.run(
            command,
            cwd=SOURCE,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
            timeout=BUILD_SECONDS,
        )
        version = subprocess.check_output([go, "env", "GOVERSION"], env=environment, text=True)
    except subprocess.CalledProcessError as error:
        said = str(error.stderr).strip().splitlines()[-REASON_LINES:]
        return NoReference("it did not build: " + " ".join(said))
    except subprocess.TimeoutExpired:
        return NoReference(f"it did not build within {BUILD_SECONDS:g} s")
    return Reference(program, version.strip())
