"""A package outside kinoscope adds a task, a format, a model and a network; it is installed as a user would do it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kinoscope.source.synthetic.video import cuts, shapes

PACKAGE = Path(__file__).parent / "plugin_package"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the package into a folder, and return it."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*command, "--target", str(folder), str(PACKAGE)], check=True, capture_output=True)
    return folder


def run(installed: Path, folder: Path, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Run Python with the package on its path."""
    paths = [str(installed), *sys.path]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "KINOSCOPE_CACHE": str(folder / "cache")}
    command = [sys.executable, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=environment, check=False)
    assert done.returncode == status, done.stderr
    return done


def kinoscope(installed: Path, folder: Path, *words: str, status: int = 0) -> subprocess.CompletedProcess[str]:
    return run(installed, folder, "-m", "kinoscope", *words, status=status)


def test_a_task_and_a_format_are_in_the_command_line(installed: Path, tmp_path: Path) -> None:
    cuts(duration=2).write(tmp_path / "a.mp4")
    words = ("analyze", "a.mp4", "--tasks", "rain", "--option", "rain.min_brightness=1", "--export", "chapters")
    kinoscope(installed, tmp_path, *words, "-o", "out", "--no-report")
    (event,) = json.loads((tmp_path / "out" / "timeline.json").read_text())["events"]
    assert (event["task"], event["start"]) == ("rain", 0)
    assert (tmp_path / "out" / "chapters.txt").read_text() == "0.00 rain\n"
    kinoscope(installed, tmp_path, "convert", "out", "chapters", "-o", "again")
    assert (tmp_path / "again" / "chapters.txt").read_text() == "0.00 rain\n"


def test_the_help_names_what_the_package_adds(installed: Path, tmp_path: Path) -> None:
    text = " ".join(kinoscope(installed, tmp_path, "analyze", "--help").stdout.split())
    assert "Other packages add the tasks broken, rain and the formats chapters." in text


def test_its_options_and_its_faults_are_one_line(installed: Path, tmp_path: Path) -> None:
    shapes(duration=1).write(tmp_path / "a.mp4")
    words = ("analyze", "a.mp4", "--tasks", "rain", "--option", "rain.min_brightness=300")
    call = kinoscope(installed, tmp_path, *words, status=2)
    assert call.stderr == "kinoscope: option of task rain: min_brightness=300 is not possible; give 0 to 255\n"
    call = kinoscope(installed, tmp_path, "analyze", "a.mp4", "--tasks", "broken", status=2)
    assert call.stderr == (
        "kinoscope: plugin broken (kinoscope_rain.missing:Broken) of kinoscope-rain cannot be loaded "
        "(No module named 'kinoscope_rain.missing'); update kinoscope-rain, or uninstall it\n"
    )


def test_a_model_is_listed_and_loaded(installed: Path, tmp_path: Path) -> None:
    call = kinoscope(installed, tmp_path, "models", "show", "rain-luma", "--json")
    assert json.loads(call.stdout)["models"][0]["licence"] == "CC0-1.0"
    code = (
        "import numpy as np, kinoscope.models as models; "
        "(luma,) = models.load('rain-luma', device='cpu')(np.full((1, 32, 32, 3), 255, np.uint8)); "
        "print(luma.round(3).tolist())"
    )
    assert run(installed, tmp_path, "-c", code).stdout == "[[1.0]]\n"


def test_a_network_is_trained(installed: Path, tmp_path: Path) -> None:
    for label in ("wide", "tall"):
        for number in range(3):
            path = tmp_path / "clips" / label / f"{number}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            shapes(duration=1, width=32, height=24, count=number + 1).write(path)
    words = ("train", "classify", "clips", "net=mean-colour", "epochs=1", "val=0.34", "start=none", "device=cpu")
    kinoscope(installed, tmp_path, *words, "-o", "run", "--quiet")
    assert json.loads((tmp_path / "run" / "model.json").read_text())["network"] == "mean-colour"
