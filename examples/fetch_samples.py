"""Download sample videos into a folder.

python examples/fetch_samples.py FOLDER NAME...
"""

import shutil
import sys
from pathlib import Path

from kinoscope.models.samples import sample


def main(folder: str, *names: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in names:
        print(shutil.copy(sample(name), Path(folder) / name))


if __name__ == "__main__":
    main(*sys.argv[1:])
