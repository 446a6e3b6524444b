"""Search across analyzed videos: a library of their results in LanceDB, embedded in the process or on object storage.

    library = Library("films.lance")
    for hit in search_videos(library, parse("person near car after 10 s")):
        print(hit.video.path, hit.start, hit.end)

A hit is a moment: a time range of a video.
"""

from kinoscope.library.query import Query, parse
from kinoscope.library.search import SearchHit, VectorQuery, hit_image, search_videos
from kinoscope.library.store import Library, StoredVideo

__all__ = ["Library", "Query", "SearchHit", "StoredVideo", "VectorQuery", "hit_image", "parse", "search_videos"]
