"""No telemetry: nothing leaves the machine unasked, and no dependency leaves files of its own on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kinoscope.core import privacy
from kinoscope.models import store
from kinoscope.source.synthetic.video import flash_and_beep

NAMESPACES = ["unshare", "--map-root-user", "--net", "--mount"]
RECORDING = [*NAMESPACES, sys.executable, str(Path(__file__).parents[0] / "helpers" / "record_lookups.py")]

VOICE = """
import kinoscope, numpy
from faster_whisper.vad import get_vad_model
get_vad_model()(numpy.zeros(5120, numpy.float32))
"""


def recorded(home: Path, *command: str, **settings: str) -> tuple[int, str]:
    """Run Python with a resolver that records look-ups; return the exit status and the line of the record."""
    permitted = shutil.which("unshare") and subprocess.run([*NAMESPACES, "true"], capture_output=True, check=False)
    if not permitted or permitted.returncode:
        pytest.skip("namespaces of one's own for network and mounts are not permitted here")
    unset = {name: value for name, value in os.environ.items() if name not in privacy.OPT_OUT_VARIABLES}
    environment = unset | {"HOME": str(home), "KINOSCOPE_CACHE": str(store.cache_folder())} | settings
    environment.pop("XDG_CACHE_HOME", None)
    command = (*RECORDING, sys.executable, *command)
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    *_, last = done.stdout.splitlines() or [done.stderr]
    return done.returncode, last


def files_in(folder: Path) -> list[str]:
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]


def test_the_recorder_records(tmp_path: Path) -> None:
    ask = "import socket\ntry: socket.getaddrinfo('example.org', 80)\nexcept OSError: pass"
    assert recorded(tmp_path, "-c", ask) == (0, "looked up: example.org")


def test_voice_activity_reports_nothing(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    assert recorded(tmp_path, "-c", VOICE) == (0, "looked up:")
    assert files_in(tmp_path) == []


@pytest.mark.slow
def test_the_default_analysis_resolves_no_name(tmp_path: Path) -> None:
    pytest.importorskip("faster_whisper")
    video = flash_and_beep(duration=1, width=64, height=48).write(tmp_path / "video.mp4")
    (tmp_path / "home").mkdir()
    words = ["-m", "kinoscope", "analyze", str(video), "-o", str(tmp_path / "out"), "--quiet"]
    # Offline: what the cache lacks is not downloaded, and its task is skipped.
    _, names = recorded(tmp_path / "home", *words, KINOSCOPE_OFFLINE="1")
    assert names == "looked up:"
    assert (tmp_path / "out" / "timeline.json").exists()
    assert files_in(tmp_path / "home") == []


def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in privacy.OPT_OUT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ORT_DISABLE_TELEMETRY", "0")
    privacy.disable_telemetry()
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "0"
    assert {name: os.environ[name] for name in privacy.OPT_OUT_VARIABLES if name != "ORT_DISABLE_TELEMETRY"} == {
        name: value for name, value in privacy.OPT_OUT_VARIABLES.items() if name != "ORT_DISABLE_TELEMETRY"
    }
