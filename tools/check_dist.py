"""Check a wheel and a source archive before they are published.

    python tools/check_dist.py FOLDER [--tag vX.Y.Z]

Fails if an archive lacks a file that git tracks or has one that it does not, if the version differs from the tag, or
if the wheel, installed alone into a new environment, cannot be imported. Prints the size of both archives.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = "src/kinoscope/"
UNPACKAGED = (".github/", ".ci/", ".pre-commit-config.yaml", ".dockerignore", "Dockerfile")
"""Tracked files that the source archive may lack: they serve the repository alone."""

GENERATED = {"PKG-INFO"}
"""Files of a source archive that its build adds."""


def main() -> int:
    """Check the two archives of a folder, print their sizes and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tag", help="fail unless the version is that of this tag, such as v0.2.0")
    options = parser.parse_args()
    (wheel,), (archive,) = options.folder.glob("*.whl"), options.folder.glob("*.tar.gz")
    files = tracked_files()
    problems = [*check_wheel(wheel, files), *check_archive(archive, files), *check_tag(wheel, options.tag)]
    problems = problems or check_import(wheel)
    for path in (wheel, archive):
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
    print("\n".join(problems) or "the archives are complete, and the wheel can be imported")
    return bool(problems)


def tracked_files() -> list[str]:
    """Return the paths of the files that git tracks, relative to the repository."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True)
    return listed.stdout.split("\0")[:-1]


def check_wheel(wheel: Path, tracked: Iterable[str]) -> list[str]:
    """Return a line for each file that the wheel lacks or should not have."""
    with zipfile.ZipFile(wheel) as opened:
        names = {name for name in opened.namelist() if ".dist-info/" not in name}
    expected = {name.removeprefix("src/") for name in tracked if name.startswith(PACKAGE)}
    return compare(wheel.name, names, expected)


def check_archive(archive: Path, tracked: Iterable[str]) -> list[str]:
    """Return a line for each file that the source archive lacks or should not have."""
    with tarfile.open(archive) as opened:
        paths = [PurePosixPath(name) for name in opened.getnames()]
    names = {path.relative_to(path.parts[0]).as_posix() for path in paths}
    expected = {name for name in tracked if not name.startswith(UNPACKAGED)}
    present = {name for name in names if not name.startswith(UNPACKAGED)}
    return compare(archive.name, present - GENERATED, expected)


def compare(archive: str, names: set[str], expected: set[str]) -> list[str]:
    """Return a line for each name that is in one of the sets alone."""
    missing = [f"{archive} lacks {name}" for name in sorted(expected - names)]
    return missing + [f"{archive} has {name}, which git does not track" for name in sorted(names - expected)]


def check_tag(wheel: Path, tag: str | None) -> list[str]:
    """Return a line if the tag is not that of the wheel's version."""
    version = wheel.name.split("-")[1]
    if tag is None or tag == f"v{version}":
        return []
    return [f"{wheel.name} has version {version}, and the tag is {tag}"]


def check_import(wheel: Path) -> list[str]:
    """Return the last line of the error if the wheel, installed without dependencies, cannot be imported."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder)
        python = Path(folder) / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        pip = [sys.executable, "-m", "pip", "--python", str(python), "--quiet", "--disable-pip-version-check"]
        install = [*pip, "install", "--no-deps", str(wheel.resolve())]
        for command in (install, [str(python), "-I", "-c", "import kinoscope"]):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                return [f"{wheel.name}: {(done.stderr or done.stdout).strip().splitlines()[-1]}"]
    return []


if __name__ == "__main__":
    sys.exit(main())
