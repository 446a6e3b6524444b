"""Time the import of kinoscope and its help, beside a bare Python.

python benchmarks/startup.py [--runs 9]
"""

from __future__ import annotations

import argparse
import sys
from functools import partial

import measure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=9)
    options = parser.parse_args()
    programs = {"python": "pass", "import kinoscope": "import kinoscope", "kinoscope --help": "HELP"}
    print_help = "from kinoscope.cli.main import main; main(['--help'])"
    jobs = {
        name: partial(lambda code: measure.cost([sys.executable, "-c", code])[0], code.replace("HELP", print_help))
        for name, code in programs.items()
    }
    costs = measure.alternate(options.runs, **jobs)
    print(measure.machine())
    for name, cost in costs.items():
        print(f"{name:>18}  {cost.wall:.3f} s")


if __name__ == "__main__":
    main()
