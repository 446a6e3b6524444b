"""Kill kinoscope at random times: no reported result may be lost, and no temporary file may be left.

    python benchmarks/kill.py [--kills 20] [--seed 0] [analyze train enroll pull]

Each subject runs one command after another, each of which is killed (SIGKILL) at a random time; its output is then
compared with the state that the next one finds. At the end a command runs undisturbed, the state is checked as a whole,
and no temporary file is left. Exits with status 1, and prints the faults.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

KINOSCOPE = [sys.executable, "-m", "kinoscope"]

TEMPORARY = re.compile(r"^\.[0-9a-f]{8,}|\.part$|^download-|^tmp")
"""Names of temporary files, which a command removes."""


def run(*words: str | Path, **variables: str) -> str:
    """Run a command to its end, and return its standard output.

    Raises:
        AssertionError: it failed.
    """
    command, environment = [*KINOSCOPE, *map(str, words)], os.environ | variables
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stderr.strip()[-500:]}"
    return done.stdout


def kill(seconds: float, *words: str | Path, **variables: str) -> str:
    """Start a command, kill it after so many seconds, and return its output so far."""
    variables |= {"PYTHONUNBUFFERED": "1"}
    process = subprocess.Popen(
        [*KINOSCOPE, *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | variables,
        start_new_session=True,
    )
    try:
        return process.communicate(timeout=seconds)[0]
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.communicate()[0]


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that an action takes."""
    start = time.monotonic()
    action()
    return time.monotonic() - start


def left_over(*folders: Path) -> list[str]:
    """List the temporary files in folders."""
    paths = [path for folder in folders for path in folder.rglob("*") if path.suffix != ".lock"]
    return [f"left over: {path}" for path in paths if TEMPORARY.search(path.name)]


def kill_analyze(folder: Path, kills: int, rng: random.Random) -> list[str]:
    """Check that killed analyses lose no video that was reported as added to a library."""
    from kinoscope.source.synthetic.video import shapes

    shapes(duration=1, width=64, height=48).write(folder / "base.mp4")
    data, library, lost = (folder / "base.mp4").read_bytes(), folder / "films.lance", []

    def command(number: int) -> list[str | Path]:
        video = folder / f"{number}.mp4"
        if not video.exists():  # a free box makes the content of each file unique
            video.write_bytes(data + (8 + number).to_bytes(4, "big") + b"free" + bytes(number))
        return ["analyze", video, "-o", folder / "out" / str(number), "--tasks", "shots", "--library", library]

    seconds = timed(lambda: run(*command(kills)))
    reported = {f"{kills}.mp4"}
    for number in range(kills):
        output = kill(rng.uniform(0.3, 1.1) * seconds, *command(number))
        reported |= {f"{number}.mp4"} if "added to the library" in output else set()
        listed = {Path(row["path"]).name for row in json.loads(run("library", "list", library, "--json"))["videos"]}
        lost += [f"analyze, kill {number}: {name} was added and is gone" for name in reported - listed]
    for number in range(kills):
        run(*command(number), "--resume")
    run("library", "check", library)
    listed = {Path(row["path"]).name for row in json.loads(run("library", "list", library, "--json"))["videos"]}
    lost += [f"analyze: {number}.mp4 is missing in the end" for number in range(kills) if f"{number}.mp4" not in listed]
    return lost + left_over(folder / "out")


def kill_train(folder: Path, kills: int, rng: random.Random) -> list[str]:
    """Check that a training that is killed and resumed repeats no epoch that was reported."""
    out, lost = folder / "run", []
    options = [
        "epochs=1000",
        "steps=2",
        "size=16",
        "width=4",
        "batch=2",
        "net=simvp",
        "context=2",
        "horizon=2",
        "device=cpu",
    ]
    begin = ["train", "predict", "synthetic:bouncing", *options, "--out", out]
    last = -1
    output = kill(30, *begin)
    for number in range(kills):
        epochs = [int(epoch) for epoch in re.findall(r"epoch (\d+)/", output)]
        if epochs and last >= 0 and epochs[0] not in (last + 1, last + 2):
            lost.append(f"train, kill {number}: epoch {epochs[0]} follows epoch {last}")
        last = max([last, *epochs])
        saved = (out / "log.jsonl").read_text().splitlines() if (out / "log.jsonl").exists() else []
        if any(not isinstance(json.loads(line), dict) for line in saved) or len(saved) < last:
            lost.append(f"train, kill {number}: the log has {len(saved)} epochs of {last}")
        output = kill(rng.uniform(4, 9), "train", "predict", "--resume-from", out)
    return lost + ([] if last > 0 else ["train: no epoch was reported, so nothing was tested"])


def kill_enroll(folder: Path, kills: int, rng: random.Random) -> list[str]:
    """Check that killed enrollments lose no object that was reported as enrolled in a gallery."""
    from kinoscope.source.synthetic.video import shapes

    gallery, lost = folder / "objects.gallery", []

    def command(number: int) -> list[str | Path]:
        pattern = folder / f"image{number}-%d.png"
        shapes(duration=0.04, width=32 + number, height=48).write(pattern)
        (image,) = folder.glob(f"image{number}-*.png")
        return ["enroll", gallery, f"object {number}", image, "--kind", "object"]

    seconds = timed(lambda: run(*command(kills)))
    reported = {f"object {kills}"}
    for number in range(kills):
        output = kill(rng.uniform(0.5, 1.05) * seconds, *command(number))
        reported |= {f"object {number}"} if " got 1 sample" in output else set()
        listed = {row["name"] for row in json.loads(run("gallery", "list", gallery, "--json"))["names"]}
        lost += [f"enroll, kill {number}: {name} was enrolled and is gone" for name in reported - listed]
    run(*command(0))
    return lost + left_over(folder)


def kill_pull(folder: Path, kills: int, rng: random.Random) -> list[str]:
    """Check that killed downloads lose no weights that were reported as fetched into a cache."""
    from kinoscope.models import CARDS, is_cached, store

    own = folder / "models"
    names = [card.name for card in CARDS if is_cached(card)][:6]
    for card in (card for card in CARDS if card.name in names):
        (own / card.name).mkdir(parents=True)
        for name, path in store.fetch(card).items():
            (own / card.name / name).write_bytes(path.read_bytes())
    if not names:
        return ["pull: there are no cached weights to test with; run kinoscope models pull first"]
    lost = []
    seconds = timed(lambda: run("models", "pull", *names, **_cache(folder / "first", own)))
    for number in range(kills):
        cache = _cache(folder / f"cache{number % 3}", own)
        output = kill(rng.uniform(0.4, 1.05) * seconds, "models", "pull", *names, **cache)
        reported = set(re.findall(r"^(\S+): fetched$", output, re.MULTILINE))
        rows = json.loads(run("models", "check", "--json", **cache))["models"]
        cached_names = {row["name"] for row in rows if row["weights"] == "cached"}
        lost += [f"pull, kill {number}: {name} was fetched and is gone" for name in reported - cached_names]
    for number in range(min(kills, 3)):
        run("models", "pull", *names, **_cache(folder / f"cache{number}", own))
        lost += left_over(folder / f"cache{number}")
    return lost


def _cache(folder: Path, own: Path) -> dict[str, str]:
    return {"KINOSCOPE_CACHE": str(folder), "KINOSCOPE_MODELS": str(own), "KINOSCOPE_OFFLINE": "1"}


SUBJECTS = {"analyze": kill_analyze, "train": kill_train, "enroll": kill_enroll, "pull": kill_pull}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("subjects", nargs="*", choices=[[], *SUBJECTS], default=[])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    lost: list[str] = []
    for name in options.subjects or SUBJECTS:
        start = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            found = SUBJECTS[name](Path(folder), options.kills, random.Random(options.seed))
        print(f"{name}: {options.kills} kills in {time.monotonic() - start:.0f} s, {len(found)} faults", flush=True)
        lost += found
    print(*lost, sep="\n", end="\n" if lost else "")
    sys.exit(bool(lost))


if __name__ == "__main__":
    main()
