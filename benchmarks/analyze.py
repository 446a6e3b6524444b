"""Compare the full default analysis of a video with separate tools for the same results, run one after another.

    python benchmarks/analyze.py VIDEO [--runs 3] [--skip-peers]

The peers run in a virtual environment of their own, created on the first call. Both sides run as whole processes,
alternating, with their weights in the cache.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import measure
import numpy as np

HERE = Path(__file__).parent
HOME = Path(".bench")
PEERS = ("shots", "objects", "faces", "speech", "actions")
SAME = ("--model", "objects=nanodet")
"""Both sides use the detector of the npm package, whatever else is in the cache."""
PACKAGES = ("scenedetect", "onnxruntime", "faster-whisper", "pillow", "requests", "scipy")


def prepare_peers(home: Path = HOME) -> Path:
    """Create the peers' environment with the weights that kinoscope uses, and return the path of its Python."""
    python = home / "peers" / "bin" / "python"
    if not (home / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", str(home / "peers")], check=True)
        pip = [str(python), "-m", "pip", "install", "-q", "-c", "constraints.txt"]
        subprocess.run([*pip, "torch==2.13.0"], check=True)
        subprocess.run([*pip, *PACKAGES], check=True)
        subprocess.run([*pip, "--no-deps", "facenet-pytorch==2.6.0"], check=True)
        subprocess.run([sys.executable, __file__, "--weights-only"], check=True)
        (home / "ready").touch()
    return python


def prepare_weights(home: Path = HOME) -> None:
    """Write the networks in the peers' formats: ONNX, TorchScript, a Whisper folder."""
    import torch

    from kinoscope.models.registry import find
    from kinoscope.models.runtime.openvino import build_torch_module
    from kinoscope.models.store import fetch

    home.mkdir(exist_ok=True)
    nanodet = build_torch_module(find("nanodet"))
    pixels = torch.zeros(1, 416, 416, 3, dtype=torch.uint8)
    names = {"input_names": ["pixels"], "output_names": ["boxes", "scores"]}
    torch.onnx.export(nanodet, (pixels,), str(home / "nanodet.onnx"), dynamo=False, **names)
    clip = torch.from_numpy(np.zeros((1, 16, 112, 112, 3), np.uint8))
    torch.jit.trace(build_torch_module(find("mc3-18-fights")), clip).save(str(home / "mc3.ts"))
    whisper = next(iter(fetch(find("whisper-tiny.en")).values())).parent
    shutil.copytree(whisper, home / "whisper", dirs_exist_ok=True)


def ours(video: Path, timelines: list[str]) -> measure.Cost:
    """Run the default analysis with its report as a user does, append its timeline, and return the cost."""
    with tempfile.TemporaryDirectory() as out:
        command = [
            str(Path(sys.executable).parent / "kinoscope"),
            "analyze",
            str(video),
            "--out",
            out,
            "--quiet",
            *SAME,
        ]
        cost, _ = measure.cost(command)
        timelines.append((Path(out) / "timeline.json").read_text())
        return cost


def peer(python: Path, name: str, video: Path) -> measure.Cost:
    """Run one of the tools, and return its cost."""
    return measure.cost([str(python), str(HERE / "peers.py"), name, str(video), "--weights", str(HOME)])[0]


def table(costs: dict[str, measure.Cost]) -> str:
    """Return the costs, and the ratio of ours to the sum of the others, as a Markdown table."""
    rows = ["| tool | wall s | CPU s | peak MB |", "|---|---|---|---|"]
    rows += [f"| {name} | {c.wall:.1f} | {c.cpu:.1f} | {c.peak:.0f} |" for name, c in costs.items()]
    others = [c for name, c in costs.items() if name != "kinoscope analyze"]
    if others:
        wall, cpu = sum(c.wall for c in others), sum(c.cpu for c in others)
        mine = costs["kinoscope analyze"]
        rows.append(f"| sum of the others | {wall:.1f} | {cpu:.1f} | {max(c.peak for c in others):.0f} |")
        rows.append(f"| **kinoscope / sum** | **{mine.wall / wall:.2f}** | **{mine.cpu / cpu:.2f}** | |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--skip-peers", action="store_true")
    parser.add_argument("--weights-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.weights_only:
        prepare_weights()
        return
    timelines: list[str] = []
    jobs = {"kinoscope analyze": partial(ours, options.video, timelines)}
    if not options.skip_peers:
        python = prepare_peers()
        jobs |= {f"peer: {name}": partial(peer, python, name, options.video) for name in PEERS}
    jobs["kinoscope analyze"]()  # the first run fills the caches of both the models and the disk
    print(measure.machine(), table(measure.alternate(options.runs, **jobs)), sep="\n\n")
    for name, task in json.loads(timelines[-1])["tasks"].items():
        print(f"{name:>10}  {task}")


if __name__ == "__main__":
    main()
