"""What was seen in many videos, kept and searched: LanceDB, embedded in the process or on object storage.

library = Library("films.lance")
for clip in answer(library, parse("person near car after 10 s")):
print(clip.video.path, clip.start, clip.end)
"""

from kinoscope.library.query import Query, parse
from kinoscope.library.search import SearchHit, VectorQuery, answer, picture_of
from kinoscope.library.store import Library, StoredVideo

__all__ = ["Library", "Query", "SearchHit", "StoredVideo", "VectorQuery", "answer", "parse", "picture_of"]
