from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of this test's own."""
    monkeypatch.setenv("KINOSCOPE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KINOSCOPE_MODELS", raising=False)
    monkeypatch.delenv("KINOSCOPE_OFFLINE", raising=False)
    return tmp_path / "cache"


FAKE = """
import json, pathlib, shutil, sys
here = pathlib.Path({here!r})
plan = json.loads((here / "plan.json").read_text())
with (here / "calls").open("a") as calls:
    calls.write(" ".join(sys.argv[1:]) + chr(10))
if plan["error"]:
    sys.exit(plan["error"])
shutil.copy(plan["archive"], sys.argv[-1])
"""


class FakeTool:
    """Stands in for pip or npm: copies an archive to where the real one would download it, or fails."""

    def __init__(self, here: Path) -> None:
        self.here = here

    def gives(self, archive: Path) -> None:
        (self.here / "plan.json").write_text(json.dumps({"archive": str(archive), "error": None}))

    def fails(self, message: str) -> None:
        (self.here / "plan.json").write_text(json.dumps({"error": message}))

    @property
    def calls(self) -> list[str]:
        log = self.here / "calls"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def pip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTool:
    here = tmp_path / "fake-pip"
    (here / "pip").mkdir(parents=True)
    (here / "pip" / "__init__.py").touch()
    (here / "pip" / "__main__.py").write_text(FAKE.format(here=str(here)))
    monkeypatch.setenv("PYTHONPATH", str(here))
    return FakeTool(here)


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeTool:
    here = tmp_path / "fake-npm"
    here.mkdir()
    script = here / "npm"
    script.write_text(f"#!{sys.executable}\n" + FAKE.format(here=str(here)))
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{here}{os.pathsep}{os.environ['PATH']}")
    return FakeTool(here)


@pytest.fixture
def left(cache: Path) -> Callable[[], list[str]]:
    """What lies in the cache, lock files and seals aside."""

    def names() -> list[str]:
        found = sorted(path for path in cache.rglob("*") if path.is_file() and path.suffix != ".lock")
        found = [path for path in found if path.name != "verified.json"]
        return [str(path.relative_to(cache)) for path in found]

    return names
