"""Write a video of every kind into the folder that is named, and print the size and digest of each file."""

import hashlib
import sys
from pathlib import Path

from kinoscope.source.synthetic.video import flash_and_beep, shapes


def main(folder):
    def write(name, source=shapes, **options):
        source(duration=1, rate=25, width=96, height=64).write(folder / name, **options)

    for name in ("a.mp4", "a.mov", "a.mkv", "a.gif", "%02d.png", "%02d.jpg"):
        write(name)
    write("lossless.mp4", lossless=True)
    write("medium.mp4", preset="medium")
    write("sound.mp4", flash_and_beep)
    for path in sorted(folder.iterdir()):
        print(path.name, path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest())


main(Path(sys.argv[1]))
