"""What was seen in many videos, kept and searched: LanceDB, embedded in the process or on object storage.

library = Library("films.lance")
for clip in answer(library, parse("person near car after 10 s")):
print(clip.video.path, clip.start, clip.end)
"""

from kinoscope.library.query import Query, parse
from kinoscope.library.search import SearchHit, VectorQuery, hit_image, search_videos
from kinoscope.library.store import Library, StoredVideo

__all__ = ["Library", "Query", "SearchHit", "StoredVideo", "VectorQuery", "hit_image", "parse", "search_videos"]
