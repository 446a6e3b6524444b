"""Download sample videos into a folder.

python examples/fetch_samples.py FOLDER NAME...
"""

import argparse
import shutil
from pathlib import Path

from kinoscope.models.samples import SAMPLES, sample

NAMES = [file.name for card in SAMPLES for file in card.files]


def main() -> None:
    parser = argparse.ArgumentParser(description="Download sample videos and images into a folder.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+", metavar="name", choices=NAMES, help=", ".join(NAMES))
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for name in arguments.names:
        print(shutil.copy(sample(name), arguments.folder / name))


if __name__ == "__main__":
    main()
