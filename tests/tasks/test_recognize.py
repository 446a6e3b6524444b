import numpy as np
import pytest

from kinoscope.core.errors import GalleryError
from kinoscope.core.results import TaskReport, Track
from kinoscope.galleries import EmbeddingModel, Gallery, GallerySample
from kinoscope.tasks.base import Needs, Skip
from kinoscope.tasks.recognize import Recognize, identity_confidence
from kinoscope.views.timeline import Timeline

FACES, LOOKS = EmbeddingModel("faces-net", "f0"), EmbeddingModel("looks-net", "10")


def corner(which, off=0.0, size=8):
    """Return a corner of the unit cube, moved ``off`` along the last axis."""
    return np.eye(size)[which] + off * np.eye(size)[size - 1]


def known(**corners):
    """Make a gallery of faces at corners; of things where a name has an underscore: ``bag_object``."""
    gallery = Gallery()
    for name, which in corners.items():
        who, _, kind = name.partition("_")
        look = GallerySample(who, kind or "face", corner(which).astype(np.float32), 0.5, b"", "a.jpg")
        gallery.add([look], LOOKS if kind else FACES)
    return gallery


def track(number, start, end, task="faces", label="face", identity=None, box=(10, 10, 20, 20)):
    times = np.linspace(start, end, 5)
    boxes = np.array([[time, *box, 0.9] for time in times])
    return Track(number, task, label, 0.9, boxes, identity)


def timeline(*rows, things=()):
    """Make a timeline of faces (track, embedding) and of things likewise."""
    made = Timeline(tracks=[*(one for one, _ in rows), *(one for one, _ in things)])
    for task, pairs, model in (("faces", rows, FACES), ("appearance", things, LOOKS)):
        if pairs:
            made.tasks[task] = TaskReport(model=model.name, extra={"digest": model.digest})
            made.features[f"{task}.embeddings"] = np.array([e for _, e in pairs if e is not None], np.float32)
            made.features[f"{task}.tracks"] = np.array([one.id for one, e in pairs if e is not None])
    return made


def names(made, task="faces"):
    return {one.id: one.identity for one in made.tracks(task)}


def test_a_known_face_gets_its_name_and_a_stranger_keeps_his_number():
    made = timeline(
        (track(1, 0, 1, identity="person 1"), corner(0, 0.3)), (track(2, 2, 3, identity="person 2"), corner(5))
    )
    result = Recognize(gallery=known(Ada=0, Bob=1)).finish(made)
    assert names(made) == {1: "Ada", 2: "person 2"}
    first, second = (one.extra for one in made.all_tracks)
    assert first == {
        "distance": 0.3,
        "margin": pytest.approx((2 + 0.09) ** 0.5 - 0.3, abs=1e-4),
        "known_by": "face",
        "group": "person 1",
    }
    assert second == {"distance": pytest.approx(1.4142), "margin": 0.0, "nearest": "Ada"}
    (event,) = result.events
    assert (event.task, event.label, event.start, event.end, event.extra) == (
        "recognize", "Ada", 0.0, 1.0, {"tracks": [["faces", 1]]})  # fmt: skip
    assert event.score == pytest.approx(identity_confidence(0.3, 0.45))
    assert result.report.model == "faces-net"
    assert result.report.extra == {"known": ["Ada"], "named_tracks": 1}


def test_one_person_is_in_one_location_at_a_time():
    made = timeline((track(1, 0, 4), corner(0, 0.2)), (track(2, 1, 3), corner(0, 0.1)), (track(3, 5, 6), corner(0)))
    Recognize(gallery=known(Ada=0)).finish(made)
    assert names(made) == {1: None, 2: "Ada", 3: "Ada"}


def test_a_name_goes_over_to_the_whole_group_but_never_twice_at_once():
    rows = [(track(n, n, n + 1, identity="person 1"), corner(0, 0.1 + 0.3 * n)) for n in range(3)]
    rows.append((track(9, 0.5, 0.8, identity="person 1"), corner(0, 0.5)))
    made = timeline(*rows)
    result = Recognize(gallery=known(Ada=0)).finish(made)
    assert names(made) == {0: "Ada", 1: "Ada", 2: "Ada", 9: "person 1"}
    assert [one.extra["known_by"] for one in made.tracks("faces") if one.identity == "Ada"] == [
        "face", "face", "group"]  # fmt: skip
    assert len(result.events) == 1


def test_a_group_of_two_known_people_names_nobody():
    made = timeline(
        (track(1, 0, 1, identity="person 1"), corner(0)),
        (track(2, 1, 2, identity="person 1"), corner(1)),
        (track(3, 2, 3, identity="person 1"), corner(4)),
    )
    Recognize(gallery=known(Ada=0, Bob=1)).finish(made)
    assert names(made) == {1: "Ada", 2: "Bob", 3: "person 1"}


def test_appearances_are_joined_when_they_hardly_part():
    made = timeline((track(1, 0, 1), corner(0)), (track(2, 2.5, 3), corner(0)), (track(3, 9, 10), corner(0)))
    events = Recognize(gallery=known(Ada=0)).finish(made).events
    assert [(event.start, event.end) for event in events] == [(0, 3), (9, 10)]


def test_the_person_around_a_face_takes_its_name():
    person = track(1, 0, 2, "objects", "person", box=(0, 0, 40, 100))
    other = track(2, 0, 2, "objects", "person", box=(60, 0, 90, 100))
    chair = track(3, 0, 2, "objects", "chair", box=(0, 0, 40, 100))
    at_the_feet = track(4, 0, 2, "objects", "person", box=(0, -80, 40, 25))
    made = timeline((track(1, 0.5, 1.5), corner(0, 0.2)), things=[(one, None) for one in (other, chair, at_the_feet)])
    made.all_tracks.append(person)
    Recognize(gallery=known(Ada=0)).finish(made)
    assert names(made, "objects") == {1: "Ada", 2: None, 3: None, 4: None}
    assert person.extra == {"known_by": "face", "group": None, "distance": 0.2}


def test_a_face_has_one_body():
    near, far = (track(n, 0, 2 - n / 2, "objects", "person", box=(0, 0, 40, 100)) for n in (1, 2))
    made = timeline((track(1, 0, 2), corner(0)), things=[(near, None), (far, None)])
    Recognize(gallery=known(Ada=0)).finish(made)
    assert names(made, "objects") == {1: "Ada", 2: None}


def test_objects_and_persons_are_recognized_by_appearance():
    bag, person = track(1, 0, 1, "objects", "handbag"), track(2, 0, 1, "objects", "person")
    made = timeline(things=[(bag, corner(0, 0.1)), (person, corner(0, 0.1))])
    result = Recognize(gallery=known(bag_object=0)).finish(made)
    assert names(made, "objects") == {1: "bag", 2: None}
    assert bag.extra["known_by"] == "object"
    assert result.report.model == "looks-net"
    made = timeline(things=[(bag, corner(0, 0.1)), (person, corner(0, 0.1))])
    Recognize(gallery=known(Ada_person=0)).finish(made)
    assert names(made, "objects") == {1: None, 2: "Ada"}


def test_appearance_does_not_overrule_a_face():
    one, two = (track(n, 0, 2, "objects", "person", box=(50 * n, 0, 50 * n + 40, 100)) for n in (0, 1))
    made = timeline((track(1, 0, 2), corner(0)), things=[(one, corner(1)), (two, corner(0))])
    Recognize(gallery=known(Ada=0, Ada_person=0)).finish(made)
    assert names(made, "objects") == {0: "Ada", 1: None}


def test_another_gallery_starts_again():
    made = timeline((track(1, 0, 1, identity="person 1"), corner(0)), (track(2, 2, 3, identity="person 2"), corner(1)))
    Recognize(gallery=known(Ada=0)).finish(made)
    Recognize(gallery=known(Bob=1)).finish(made)
    assert names(made) == {1: "person 1", 2: "Bob"}
    assert "known_by" not in made.all_tracks[0].extra


def test_a_threshold_of_ones_own():
    for threshold, name in ((0.29, None), (0.31, "Ada")):
        made = timeline((track(1, 0, 1), corner(0, 0.3)))
        Recognize(gallery=known(Ada=0), thresholds={"face": threshold}).finish(made)
        assert names(made) == {1: name}


def test_faces_of_another_model_are_refused():
    made = timeline((track(1, 0, 1), corner(0)))
    made.tasks["faces"].extra["digest"] = "else"
    with pytest.raises(GalleryError, match="cannot be compared"):
        Recognize(gallery=known(Ada=0)).finish(made)
    assert names(made) == {1: None}


def test_it_requests_no_frames_and_skips_where_nothing_can_be_compared():
    task = Recognize(gallery=known(Ada=0))
    assert task.needs(None) == Needs()
    with pytest.raises(Skip, match="run faces too"):
        task.finish(Timeline())
    with pytest.raises(Skip, match="the gallery is empty"):
        Recognize(gallery=Gallery()).finish(timeline((track(1, 0, 1), corner(0))))


def test_sureness_is_a_half_at_the_threshold_and_falls():
    values = [identity_confidence(distance, 0.45) for distance in (0, 0.2, 0.45, 0.6, 5)]
    assert values == sorted(values, reverse=True)
    assert values[2] == 0.5
    assert values[0] > 0.999
    assert values[4] >= 0
