"""What was seen in many videos, kept and searched: LanceDB, embedded in the process or on object storage."""

from kinoscope.library.store import Library, Video

__all__ = ["Library", "Video"]
