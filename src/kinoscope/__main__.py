"""``python -m kinoscope``."""

from kinoscope.cli import main

if __name__ == "__main__":
    main()
