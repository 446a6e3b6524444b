"""Run the benchmarks of an analysis, one after another; benchmarks/README.md records their output.

    python benchmarks/run.py [--video VIDEO] [--peers] [--memory]

Without a video, the sample of `make demo` is measured. The peers and the 20-minute clip take long, so they are
optional.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from kinoscope.models.samples import sample

HERE = Path(__file__).parent


def run(script: str, *arguments: str) -> None:
    print(f"\n## {script} {' '.join(arguments)}", flush=True)
    subprocess.run([sys.executable, str(HERE / script), *arguments], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--peers", action="store_true", help="compare with other tools, in an environment of their own")
    parser.add_argument("--memory", action="store_true", help="compare a 20-minute clip with a 2-minute one")
    options = parser.parse_args()
    video = str(options.video or sample("bikes.mp4"))
    run("startup.py")
    run("decode.py", video)
    run("overlap.py", video)
    run("agreement.py", video)
    run("analyze.py", video, *([] if options.peers else ["--skip-peers"]))
    if options.memory:
        run("memory.py", video)


if __name__ == "__main__":
    main()
