import json
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save

from kinoscope.core.errors import GalleryError, OutputError
from kinoscope.galleries import (
    HEADER,
    EmbeddingModel,
    Gallery,
    GallerySample,
    edit_gallery,
    export_gallery,
    read_gallery,
)

DLIB, OTHER = EmbeddingModel("dlib-resnet", "0123456789abcdef"), EmbeddingModel("other-net", "fedcba9876543210")


def sample(name="Ada", at=0, kind="face", quality=0.5, portrait=b"\xff\xd8Ada", source="a.jpg"):
    return GallerySample(name, kind, np.eye(16, dtype=np.float32)[at], quality, portrait, source)


def enrolled(path, *samples, model=DLIB):
    with edit_gallery(path, create=True) as gallery:
        gallery.add(samples, model)
    return path


def plain(gallery):
    rows = [(o.name, o.kind, o.embedding.tolist(), o.quality, o.portrait, o.source) for o in gallery.samples]
    return rows, gallery.models


names = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=20)
names = names.filter(str.isprintable)
kinds = st.sampled_from(["face", "person", "object"])
sample_lists = st.lists(
    st.builds(
        lambda name, kind, values, quality, portrait, source: GallerySample(
            name, kind, np.array(values, np.float32), quality, portrait, source
        ),
        names,
        kinds,
        st.lists(st.floats(-9, 9, width=32), min_size=4, max_size=4),
        st.floats(0.01, 1),
        st.binary(max_size=40),
        st.text(max_size=9).filter(lambda text: text.isprintable()),
    ),
    max_size=8,
)


@pytest.mark.slow
@given(sample_lists)
def test_what_is_written_is_read_again(tmp_path_factory, samples):
    path = tmp_path_factory.mktemp("round") / "people.gallery"
    with edit_gallery(path, create=True) as gallery:
        for one in samples:
            gallery.add([one], DLIB)
        written = plain(gallery)
    assert plain(read_gallery(path)) == written


def test_a_person_has_several_samples_of_several_kinds(tmp_path):
    path = enrolled(tmp_path / "g", sample(), sample(at=1, source="b.jpg"), sample("Bob", 2))
    enrolled(path, sample(at=3, kind="person"), model=OTHER)
    gallery = read_gallery(path)
    assert gallery.names() == ["Ada", "Bob"]
    assert gallery.names("person") == ["Ada"]
    assert len(gallery.samples_of("Ada")) == 3
    assert gallery.models == {"face": DLIB, "person": OTHER}


def test_adding_the_same_sample_again_changes_nothing(tmp_path):
    path = enrolled(tmp_path / "g", sample())
    with edit_gallery(path) as gallery:
        assert gallery.add([sample(), sample("Bob")], DLIB)[0].name == "Bob"
    assert len(read_gallery(path).samples) == 2


def test_embeddings_of_two_models_are_never_mixed(tmp_path):
    path = enrolled(tmp_path / "g", sample())
    before = path.read_bytes()
    with pytest.raises(GalleryError, match=r"are of dlib-resnet \(0123456789abcdef\).*other-net") as raised:
        enrolled(path, sample(at=1), model=OTHER)
    assert "enroll into another gallery" in str(raised.value)
    assert path.read_bytes() == before


def test_a_removed_person_is_gone_from_the_file(tmp_path):
    secret = sample("Ada Lovelace", 3, portrait=b"\xff\xd8a picture of her", source="her.jpg")
    secret = GallerySample(
        secret.name, "face", np.linspace(0.1, 0.9, 16).astype(np.float32), 0.5, secret.portrait, "her.jpg"
    )
    path = enrolled(tmp_path / "g", secret, sample("Bob", 4, portrait=b"\xff\xd8Bob"))
    traces = [b"Ada Lovelace", b"her.jpg", secret.portrait, secret.embedding.tobytes(), secret.embedding[3:5].tobytes()]
    assert all(trace in path.read_bytes() for trace in traces)
    with edit_gallery(path) as gallery:
        assert gallery.remove("Ada Lovelace") == 1
    for file in tmp_path.iterdir():
        assert not any(trace in file.read_bytes() for trace in traces), file
    assert read_gallery(path).names() == ["Bob"]


def test_an_emptied_gallery_takes_any_model(tmp_path):
    path = enrolled(tmp_path / "g", sample())
    with edit_gallery(path) as gallery:
        gallery.remove("Ada")
    enrolled(path, sample("Bob"), model=OTHER)
    assert read_gallery(path).models == {"face": OTHER}


def test_a_name_is_changed_and_two_may_become_one(tmp_path):
    path = enrolled(tmp_path / "g", sample(), sample("Bob", 1))
    with edit_gallery(path) as gallery:
        assert gallery.rename("Bob", "Ada") == 1
    assert read_gallery(path).names() == ["Ada"]
    assert len(read_gallery(path).samples_of("Ada")) == 2


@pytest.mark.parametrize("name", ["", " ", " Ada", "Ada\n", "a\tb", "x" * 101, "person 3", "Unknown", "\u202eAda"])
def test_what_is_no_name(name):
    with pytest.raises(GalleryError, match="cannot be a name"):
        Gallery().add([sample(name)], DLIB)
    known = Gallery([sample()], {"face": DLIB})
    with pytest.raises(GalleryError, match="cannot be a name"):
        known.rename("Ada", name)


def test_a_name_that_is_not_known_is_answered_with_the_nearest():
    known = Gallery([sample("Ada"), sample("Bob", 1)], {"face": DLIB})
    with pytest.raises(GalleryError, match=r"'Adda' is not in the gallery; did you mean Ada\? known: Ada, Bob"):
        known.remove("Adda")
    with pytest.raises(GalleryError, match="known: none yet"):
        Gallery().samples_of("Ada")


def test_the_distance_to_a_name_is_to_its_nearest_sample_or_to_their_mean():
    samples = [sample("Ada", 0, quality=3.0), sample("Ada", 1, quality=1.0), sample("Bob", 2)]
    gallery = Gallery(samples, {"face": DLIB})
    mean = np.zeros(16)
    mean[:2] = 0.75, 0.25
    found = gallery.distances("face", np.stack([np.eye(16)[0], np.eye(16)[1], mean]))
    assert found[:, 0] == pytest.approx([0, 0, 0])
    assert found[:, 1] == pytest.approx([2**0.5, 2**0.5, (0.75**2 + 0.25**2 + 1) ** 0.5])
    assert gallery.distances("object", np.zeros((2, 16))).shape == (2, 0)


def test_nothing_is_written_when_the_change_fails(tmp_path):
    path = enrolled(tmp_path / "g", sample())
    before = path.read_bytes()
    with pytest.raises(GalleryError), edit_gallery(path) as gallery:  # noqa: PT012 (the second removal is what fails)
        gallery.remove("Ada")
        gallery.remove("Ada")
    assert path.read_bytes() == before

    def stop():
        with edit_gallery(tmp_path / "new", create=True):
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        stop()
    assert not (tmp_path / "new").exists()


def test_a_new_gallery_is_its_owners_and_rights_that_were_given_stay(tmp_path):
    path = enrolled(tmp_path / "g", sample())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    enrolled(path, sample("Bob", 1))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def forged(path, header, **tensors):
    arrays: dict[str, NDArray[Any]] = {
        "portraits": np.zeros(0, np.uint8),
        "embeddings.face": np.zeros((0, 4), np.float32),
    }
    path.write_bytes(save(arrays | tensors, {HEADER: json.dumps(header)}))
    return path


ROW = {"name": "Ada", "kind": "face", "quality": 0.5, "source": "a.jpg", "portrait": 0}
MODELS = {"face": {"name": "n", "digest": "d"}}


@pytest.mark.parametrize(
    ("header", "tensors"),
    [
        ({"schema": 1}, {}),
        ({"schema": "1", "models": {}, "samples": []}, {}),
        ({"schema": 1, "models": MODELS, "samples": [ROW]}, {}),
        ({"schema": 1, "models": MODELS, "samples": []}, {"embeddings.face": np.zeros((1, 4), np.float32)}),
        ({"schema": 1, "models": {}, "samples": [ROW]}, {}),
        ({"schema": 1, "models": MODELS, "samples": [ROW | {"portrait": 9}]},
         {"embeddings.face": np.zeros((1, 4), np.float32)}),
        ({"schema": 1, "models": MODELS, "samples": [ROW]},
         {"embeddings.face": np.full((1, 4), np.nan, np.float32)}),
        ({"schema": 1, "models": MODELS, "samples": [ROW]},
         {"embeddings.face": np.zeros((1, 4), np.float32), "portraits": np.zeros(3, np.uint8)}),
    ],
)  # fmt: skip
def test_an_inconsistent_gallery_is_corrupt(tmp_path, header, tensors):
    with pytest.raises(GalleryError, match="g is corrupt or no gallery; give a file that"):
        read_gallery(forged(tmp_path / "g", header, **tensors))


def test_a_gallery_with_the_old_key_of_the_samples_is_read(tmp_path):
    row = ROW | {"portrait": 0}
    old = forged(
        tmp_path / "g",
        {"schema": 1, "models": MODELS, "looks": [row]},
        **{"embeddings.face": np.zeros((1, 4), np.float32)},
    )
    (sample,) = read_gallery(old).samples
    assert sample.name == row["name"]


@pytest.mark.parametrize("content", [b"", b"hello", b"\x00" * 99, save({"a": np.zeros(3)}), b"\xff\xd8\xff\xe0JFIF"])
def test_what_is_no_gallery(tmp_path, content):
    (tmp_path / "g").write_bytes(content)
    with pytest.raises(GalleryError, match="corrupt or no gallery"):
        read_gallery(tmp_path / "g")
    with pytest.raises(GalleryError, match="corrupt or no gallery"), edit_gallery(tmp_path / "g", create=True):
        pass
    assert (tmp_path / "g").read_bytes() == content


def test_half_a_gallery_is_damaged(tmp_path):
    path = enrolled(tmp_path / "g", sample(), sample("Bob", 1))
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        with pytest.raises(GalleryError, match="damaged"):
            read_gallery(path)


def test_a_newer_gallery_is_for_a_newer_kinoscope(tmp_path):
    with pytest.raises(GalleryError, match="has schema 2, newer than 1, which this version reads; update kinoscope"):
        read_gallery(forged(tmp_path / "g", {"schema": 2}))


def test_a_missing_gallery_says_how_to_create_one(tmp_path):
    for use in (read_gallery, lambda path: edit_gallery(path).__enter__()):
        with pytest.raises(GalleryError, match=r"there is no gallery .*missing; create one with `kinoscope enroll"):
            use(tmp_path / "missing")
    assert not list(tmp_path.iterdir())


def test_a_gallery_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot write"):
        enrolled(tmp_path / "file" / "g", sample())


ENROLLER = """
import sys, numpy as np
from kinoscope.galleries import GallerySample, EmbeddingModel, edit_gallery
who, path = sys.argv[1:]
for n in range(12):
    with edit_gallery(path, create=True) as gallery:
        sample = GallerySample(f"{who} {n}", "face", np.full(4, n, np.float32), .5, who.encode(), "a")
        gallery.add([sample], EmbeddingModel("m", "d"))
"""


@pytest.mark.slow
def test_two_processes_at_once_lose_nothing(tmp_path):
    command = [sys.executable, "-c", ENROLLER]
    running = [subprocess.Popen([*command, who, str(tmp_path / "g")]) for who in ("ann", "bob")]
    assert [process.wait() for process in running] == [0, 0]
    assert sorted(read_gallery(tmp_path / "g").names()) == sorted(
        f"{who} {n}" for who in ("ann", "bob") for n in range(12)
    )


def test_export_writes_a_folder_of_portraits_for_each_name(tmp_path):
    samples = [sample("Ada/../..", 0, portrait=b"one"), sample("Ada/../..", 1, portrait=b"two"), sample("ada------", 2)]
    files = export_gallery(Gallery(samples, {"face": DLIB}), tmp_path / "out")
    assert [str(file.relative_to(tmp_path / "out")) for file in files] == [
        "gallery.json",
        "Ada/1-face.jpg".replace("Ada", folder := files[1].parent.name),
        f"{folder}/2-face.jpg",
        f"{files[3].parent.name}/1-face.jpg",
    ]
    assert folder.casefold() != files[3].parent.name.casefold()
    assert [file.read_bytes() for file in files[1:3]] == [b"one", b"two"]
    exported = json.loads(files[0].read_text())
    assert exported["models"] == {"face": {"name": DLIB.name, "digest": DLIB.digest}}
    assert exported["samples"][1]["embedding"] == np.eye(16)[1].tolist()
    assert all(Path(tmp_path / "out" / row["portrait"]).is_file() for row in exported["samples"])


def hostile(path, **changes):
    """A gallery that a stranger made: one face, whose header says what no gallery of ours does."""
    row = {"name": "Ada", "kind": "face", "quality": 0.5, "portrait": 2, "source": "a.jpg"} | changes
    models = {row["kind"]: {"name": "dlib-resnet", "digest": DLIB.digest}}
    header = json.dumps({"schema": 1, "models": models, "samples": [row]})
    tensors: dict[str, NDArray[Any]] = {
        f"embeddings.{row['kind']}": np.zeros((1, 16), np.float32),
        "portraits": np.zeros(2, np.uint8),
    }
    path.write_bytes(save(tensors, {HEADER: header}))
    return path


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "x/../../../victim/photo"},
        {"kind": ".."},
        {"name": "a\x1b[31mb"},
        {"name": "../x\n"},
        {"name": ["Ada"]},
        {"quality": 1e9},
        {"quality": float("nan")},
        {"portrait": -2},
    ],
)
def test_a_stranger_s_gallery_is_refused_where_ours_could_not_be_like_it(kinoscope, tmp_path, changes):
    path = hostile(tmp_path / "people.gallery", **changes)
    for words in (("export", path, "-o", tmp_path / "deep" / "out"), ("list", path)):
        call = kinoscope("gallery", *words)
        assert (call.status, call.err.count("\n")) == (2, 1)
        assert "is corrupt or no gallery" in call.err
    assert sorted(tmp_path.iterdir()) == [path]


def test_a_header_nested_a_thousand_deep_is_one_line(kinoscope, tmp_path):
    path = tmp_path / "people.gallery"
    path.write_bytes(save({"portraits": np.zeros(0, np.uint8)}, {HEADER: "[" * 1000 + "]" * 1000}))
    call = kinoscope("gallery", "list", path)
    assert (call.status, call.err.count("\n"), "is corrupt or no gallery" in call.err) == (2, 1, True)


def test_samples_of_another_length_are_one_line():
    gallery = Gallery([sample()], {"face": DLIB})
    with pytest.raises(GalleryError, match="another length"):
        gallery.distances("face", np.zeros((1, 3)))
    assert gallery.add([GallerySample("Ada", "face", np.zeros(3, np.float32), 0.5, b"", "b.jpg")], DLIB)
