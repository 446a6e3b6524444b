"""The package as it is published: the archives, their metadata, and the image built from a part of the files."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

import kinoscope
from tests.helpers.dockerfile import read_instructions
from tools import check_dist as dist

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def build(source: Path, out: Path, *options: str) -> Path:
    """Build archives in an environment of their own, as pip does."""
    command = [sys.executable, "-m", "build", "--outdir", str(out), *options, str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "No matching distribution found for hatchling" in done.stdout + done.stderr:
        pytest.skip("hatchling cannot be downloaded")
    assert done.returncode == 0, done.stdout + done.stderr
    return out


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("build")
    if not (ROOT / ".git").exists():
        pytest.skip("no clone: what git tracks is unknown")
    # From a copy, so that files that somebody is working on are not taken for strays.
    source = tmp_path_factory.mktemp("source")
    for name in dist.tracked_files():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    return build(source, tmp_path_factory.mktemp("dist"))


@pytest.mark.slow
def test_the_archives_are_complete_and_can_be_imported(archives, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["check_dist", str(archives), "--tag", f"v{kinoscope.__version__}"])
    assert dist.main() == 0, capsys.readouterr().out
    assert "the archives are complete, and the wheel can be imported\n" in capsys.readouterr().out
    assert next(archives.glob("*.whl")).stat().st_size < 20e6, "the weights in the package are limited to 20 MB"


@pytest.mark.slow
def test_the_metadata_is_what_the_index_shows(archives):
    wheel = next(archives.glob("*.whl"))
    with zipfile.ZipFile(wheel) as opened:
        name = f"kinoscope-{kinoscope.__version__}.dist-info/METADATA"
        metadata = Parser().parsestr(opened.read(name).decode())
    assert metadata["Version"] == kinoscope.__version__
    urls = dict(line.split(", ", 1) for line in metadata.get_all("Project-URL"))
    assert urls == PROJECT["urls"]
    assert set(urls) == {"Homepage", "Documentation", "Source", "Changelog", "Issues"}
    command = [sys.executable, "-m", "twine", "check", "--strict", *map(str, archives.iterdir())]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.slow
def test_the_image_has_the_files_that_the_package_is_built_from(archives, tmp_path):
    """Build the wheel from the files that the Dockerfile copies: it is the same as that of the repository."""
    for words in read_instructions(ROOT / "Dockerfile", "COPY"):
        if not words[0].startswith("--from"):
            copy(words[:-1], tmp_path / "image" / words[-1])
    built = build(tmp_path / "image", tmp_path / "dist", "--wheel")
    with zipfile.ZipFile(next(archives.glob("*.whl"))) as ours, zipfile.ZipFile(next(built.glob("*.whl"))) as image:
        assert image.namelist() == ours.namelist()
        assert [image.getinfo(name).CRC for name in image.namelist()] == [one.CRC for one in ours.infolist()]


def copy(sources: list[str], target: Path) -> None:
    """Copy as COPY does: files into a folder, the content of a folder to a folder."""
    for source in sources:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, target)


def make_archives(folder: Path, wheel: list[str], archive: list[str]) -> tuple[Path, Path]:
    folder.mkdir()
    with zipfile.ZipFile(folder / "kinoscope-1.2.0-py3-none-any.whl", "w") as opened:
        for name in wheel:
            opened.writestr(name, "")
    (folder / "empty").touch()
    with tarfile.open(folder / "kinoscope-1.2.0.tar.gz", "w:gz") as tar:
        for name in archive:
            tar.add(folder / "empty", f"kinoscope-1.2.0/{name}")
    return folder / "kinoscope-1.2.0-py3-none-any.whl", folder / "kinoscope-1.2.0.tar.gz"


def test_missing_and_stray_files_are_found(tmp_path):
    tracked = ["README.md", ".github/x.yml", "src/kinoscope/__init__.py", "src/kinoscope/py.typed"]
    inside = ["kinoscope/__init__.py", "kinoscope/.env", "kinoscope-1.2.0.dist-info/METADATA"]
    wheel, archive = make_archives(tmp_path / "dist", inside, ["PKG-INFO", "src/kinoscope/__init__.py", "video.mp4"])
    assert dist.check_wheel(wheel, tracked) == [
        "kinoscope-1.2.0-py3-none-any.whl lacks kinoscope/py.typed",
        "kinoscope-1.2.0-py3-none-any.whl has kinoscope/.env, which git does not track",
    ]
    assert dist.check_archive(archive, tracked) == [
        "kinoscope-1.2.0.tar.gz lacks README.md",
        "kinoscope-1.2.0.tar.gz lacks src/kinoscope/py.typed",
        "kinoscope-1.2.0.tar.gz has video.mp4, which git does not track",
    ]


@pytest.mark.parametrize(
    ("tag", "problems"),
    [
        (None, []),
        ("v1.2.0", []),
        ("v1.2.1", ["kinoscope-1.2.0-py3-none-any.whl has version 1.2.0, and the tag is v1.2.1"]),
    ],
)
def test_the_tag_is_that_of_the_version(tag, problems):
    assert dist.check_tag(Path("kinoscope-1.2.0-py3-none-any.whl"), tag) == problems


@pytest.mark.slow
def test_a_wheel_that_cannot_be_imported_is_found(tmp_path):
    wheel, _ = make_archives(tmp_path / "dist", [], [])
    metadata = "kinoscope-1.2.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as opened:
        opened.writestr("kinoscope/__init__.py", "import gone_from_here\n")
        opened.writestr(f"{metadata}/METADATA", "Metadata-Version: 2.1\nName: kinoscope\nVersion: 1.2.0\n")
        opened.writestr(f"{metadata}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        opened.writestr(f"{metadata}/RECORD", "")
    expected = "kinoscope-1.2.0-py3-none-any.whl: ModuleNotFoundError: No module named 'gone_from_here'"
    assert dist.check_import(wheel) == [expected]
