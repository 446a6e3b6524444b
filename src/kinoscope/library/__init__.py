"""What was seen in many videos, kept and searched: LanceDB, embedded in the process or on object storage.

library = Library("films.lance")
for clip in answer(library, parse("person near car after 10 s")):
print(clip.video.path, clip.start, clip.end)
"""

from kinoscope.library.query import Query, parse
from kinoscope.library.search import Clip, Like, answer, picture_of
from kinoscope.library.store import Library, Video

__all__ = ["Clip", "Library", "Like", "Query", "Video", "answer", "parse", "picture_of"]
