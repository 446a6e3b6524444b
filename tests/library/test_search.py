from __future__ import annotations

import numpy as np
import pytest

from kinoscope.core.errors import LibraryError
from kinoscope.library import Library, VectorQuery, hit_image, parse, search_videos
from tests.helpers.libraries import JPEG, timeline

pytest.importorskip("lancedb", reason="needs the extra library")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """Build a library of two streets with a person and a car each, and different speech; and a quiet video."""
    library = Library(tmp_path_factory.mktemp("library") / "films.lance", create=True)
    for number, (path, text) in enumerate([("street-a.mp4", "hello big world"), ("street-b.mp4", "Worlds, hello!")]):
        meant = np.eye(384, dtype=np.float32)[number : number + 1]
        library.add(f"{number:064d}", path, timeline(number, path, text), {"speech": meant})
    quiet = timeline(7, "quiet.mp4")
    for task in ("objects", "faces", "speech", "recognize"):
        quiet.drop(task)
    quiet.source["start"] = 100.0
    for event in quiet.all_events:
        event.start, event.end = event.start + 100, event.end + 100
    library.add("f" * 64, "quiet.mp4", quiet)
    return library


def ask(library: Library, query: str) -> list[tuple[str, float, float]]:
    clips = search_videos(library, parse(query), embed=lambda text: np.eye(384, dtype=np.float32)[int(text)])
    return sorted((clip.video.name, clip.start, clip.end) for clip in clips)


def notes_on(library: Library, query: str) -> tuple[int, list[str]]:
    notes: list[str] = []
    clips = search_videos(library, parse(query), notes=notes)
    return len(clips), [note.split("; ")[0].partition(" is called ")[2] for note in notes]


@pytest.mark.parametrize(
    ("query", "like", "missing"),
    [
        ("person or chair", "person", ["'chair'"]),
        ("chair or person", "person", ["'chair'"]),
        ("(chair or person) or zebra", "person", ["'chair'", "'zebra'"]),
        ("(chair or zebra) or person", "person", ["'chair'"]),
        ("car or (person and chair)", "car", ["'chair'"]),
        ("person without chair", "person", ["'chair'"]),
        ("person and not chair", "person", ["'chair'"]),
        ("person near (car or chair)", "person near car", ["'chair'"]),
    ],
)
def test_a_name_that_is_not_there_is_a_note_where_there_is_an_answer(
    library: Library, query: str, like: str, missing: list[str]
) -> None:
    assert ask(library, query) == ask(library, like)
    assert notes_on(library, query)[1] == missing


@pytest.mark.parametrize(
    "query",
    ["chair", "chair or zebra", "person and chair", "person near chair", "chair with person", "chair without person",
     "not chair", "not (chair or zebra)", "person and (chair or zebra)"],
)  # fmt: skip
def test_a_name_without_which_there_is_no_answer_is_an_error(library: Library, query: str) -> None:
    with pytest.raises(LibraryError, match="is called 'chair'"):
        ask(library, query)


def streets(*spans: tuple[float, float]) -> list[tuple[str, float, float]]:
    return [(name, *span) for name in ("street-a.mp4", "street-b.mp4") for span in spans]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("person", streets((5, 12), (30, 35))),
        ("CAR", streets((13, 20))),
        ('"Ada"', streets((5, 11))),
        ("ada with person", streets((5, 11))),
        ("person near car", streets((10, 15))),
        ("person near car within 0.5 s", []),
        ("person near car after 11 s", []),
        ("person after 10 s", streets((30, 35))),
        ("person before 0:20", streets((5, 12))),
        ("person between 4 s and 12 s", streets((5, 12))),
        ("person longer than 6 s", streets((5, 12))),
        ("person shorter than 6 s", streets((30, 35))),
        ("person without speech", streets((30, 35))),
        ('person in "*-b.mp4"', streets((5, 12), (30, 35))[2:]),
        ("car or speech", streets((8, 10), (13, 20))),
        ("street and not person", [("quiet.mp4", 100, 130)]),
        ("not person", [("quiet.mp4", 100, 160)]),
        ("street before 30 s", [("quiet.mp4", 100, 130), *streets((0, 30))]),
        ('says "hello"', streets((8, 10))),
        ('says "big world"', [("street-a.mp4", 8, 10)]),
        ('says "world hello"', [("street-b.mp4", 8, 10)]),
        ('says "nobody said so"', []),
        ('about "1"', [("street-b.mp4", 8, 10)]),
    ],
)
def test_answers(library: Library, query: str, found: list[tuple[str, float, float]]) -> None:
    assert ask(library, query) == found


def test_each_answer_says_why(library: Library) -> None:
    clip = search_videos(library, parse('(person with says "hello big world") in "street-a*"'))[0]
    assert [(why.what, why.table) for why in clip.why] == [("person", "tracks"), ("said: hello big world", "speech")]
    assert clip.to_dict()["why"][0] == {"what": "person", "start": 5.0, "end": 12.0, "score": 0.8}
    assert hit_image(library, clip) == JPEG


def test_the_best_come_first_and_no_more_than_asked_for(library: Library) -> None:
    clips = search_videos(library, parse("Ada or person"), limit=3)
    assert [(clip.video.name, clip.start, round(clip.score, 2)) for clip in clips] == [
        ("street-a.mp4", 5, 0.9), ("street-b.mp4", 5, 0.9), ("street-a.mp4", 30, 0.8),
    ]  # fmt: skip


def test_an_unknown_name_is_an_error_with_the_nearest(library: Library) -> None:
    with pytest.raises(LibraryError, match=r"is called 'persn'; did you mean person\? most frequent: person"):
        search_videos(library, parse("persn"))


def test_without_the_model_meaning_cannot_be_asked_for(library: Library) -> None:
    with pytest.raises(LibraryError, match="cannot be compared by meaning"):
        search_videos(library, parse('about "x"'))


def test_a_quote_in_a_name_is_no_injection_into_the_database(library: Library) -> None:
    with pytest.raises(LibraryError, match="is called"):
        search_videos(library, parse("\"x') OR ('1'='1\""))


def test_moments_similar_to_an_image(library: Library) -> None:
    features = timeline(0).features["scenes.features"]
    like = VectorQuery("scenes", features[15].astype(np.float32), "efficientnet-lite0", "like it", 0.01)
    assert [(c.video.name, c.start, c.end, round(c.score, 2)) for c in search_videos(library, None, [like])] == [
        ("street-a.mp4", 15, 16, 1.0)
    ]
    assert search_videos(library, parse("car"), [like])[0].start == 15
    assert search_videos(library, parse("person"), [like]) == []


def test_moments_of_a_face(library: Library) -> None:
    face = timeline(1).features["faces.embeddings"][0]
    like = VectorQuery("faces", face, "mtcnn, dlib-resnet", "this face", 0.45)
    assert [(c.video.name, c.start, c.end) for c in search_videos(library, None, [like])] == [("street-b.mp4", 5, 11)]
