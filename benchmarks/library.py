"""Time searches in a library of 1,000 videos and a million rows, synthesized from templates.

    python benchmarks/library.py [--videos 1000] [--library films.lance] [--runs 7]

A template is ten minutes of synthetic results: objects, scenes, faces, speech, a few fights, and vectors around a few
thousand centres. Each video is a template with noise of its own on the vectors. A search is timed in this process, with
the library open: the command itself also starts Python and imports LanceDB.
"""

from __future__ import annotations

import argparse
import hashlib
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from measure import machine
from numpy.typing import NDArray

from kinoscope.core.arrays import Float32Array
from kinoscope.core.results import Event, TaskReport, Track
from kinoscope.library import Library, StoredVideo, VectorQuery, parse, search_videos
from kinoscope.library.encode import encode_task, rows_digest, stored_tasks
from kinoscope.library.tables import RESULT_TABLES, VECTOR_SPACES, schemas
from kinoscope.views.timeline import Timeline

MINUTES, TEMPLATES, VIDEOS_PER_WRITE = 10, 20, 50
OBJECTS = ("person", "person", "person", "car", "car", "bicycle", "dog", "bus", "backpack", "chair")
SCENES = (
    "street",
    "crosswalk",
    "kitchen",
    "library",
    "seashore",
    "stage",
    "classroom",
    "forest path",
    "racer",
    "beacon",
)
WORDS = (
    *("the", "of", "and", "to", "we", "you", "bridge", "train", "dinner", "onions", "lesson", "chapter", "police"),
    *("window", "morning", "garden", "river", "music", "question", "answer", "yellow", "quickly", "doctor", "winter"),
)
QUERIES = (
    "person", "dog", '"Ada 7"', "fight", 'says "police"', 'says "hello world"', "person near car after 10 s",
    'dog with says "garden" longer than 2 s', 'kitchen and not fight in "1*.mp4"',
)  # fmt: skip


def template(seed: int) -> Timeline:
    """Synthesize ten minutes of results."""
    random, last = np.random.default_rng(seed), MINUTES * 60.0
    found = Timeline(
        source={"path": "", "duration": last, "width": 1280, "height": 720}, times=np.arange(0, last, 0.04)
    )
    found.tasks = {name: TaskReport(model=name) for name in ("shots", "scenes", "objects", "faces", "appearance")}
    found.tasks |= {"recognize": TaskReport(), "actions": TaskReport(), "speech": TaskReport()}
    found.tasks["scenes"].model = "efficientnet-lite0"
    cuts = np.unique([0, *np.sort(random.uniform(0, last, 119)), last])
    for start, end in pairwise(cuts):
        found.all_events.append(Event("shots", start, end, "shot", 0.9))
        found.all_events.append(Event("scenes", start, end, str(random.choice(SCENES)), random.uniform(0.2, 0.9)))
    found.all_events += [Event("actions", at, at + 2, "fight", 0.8) for at in random.uniform(0, last - 2, seed % 3)]
    found.all_events += [Event("recognize", at, at + 6, f"Ada {seed}", 0.9) for at in random.uniform(0, last - 6, 4)]
    for at in np.sort(random.uniform(0, last - 4, 80)):
        said = " ".join(random.choice(WORDS, 9)) + (" hello world" if random.random() < 0.01 else "")
        found.all_events.append(Event("speech", at, at + 3, "speech", 0.8, said))
    found.all_tracks = [_track(random, n, "objects", str(random.choice(OBJECTS)), last) for n in range(1, 301)]
    found.all_tracks += [_track(random, n, "faces", "face", last) for n in range(1, 31)]
    ids = {"faces": 30, "appearance": 150}
    found.features = {f"{name}.tracks": np.arange(1, count + 1) for name, count in ids.items()}
    found.features["scenes.times"] = np.arange(0, last, 5.0)
    sizes = {"scenes.features": (120, 1280), "faces.embeddings": (30, 128), "appearance.embeddings": (150, 1544)}
    for name, (count, length) in sizes.items():
        found.features[name] = _unit(random.standard_normal((count, length)))
    found.images = {f"objects-{n}": random.bytes(4000) for n in range(1, 31)}
    return found


def _track(random: np.random.Generator, number: int, task: str, label: str, last: float) -> Track:
    start = random.uniform(0, last - 10)
    boxes = np.tile([0, 100, 100, 200, 300, 0.8], (25, 1)).astype(np.float64)
    boxes[:, 0] = start + np.linspace(0, random.uniform(1, 10), 25)
    return Track(number, task, label, random.uniform(0.4, 0.95), boxes)


def _unit(rows: NDArray[Any]) -> Float32Array:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


Parts = dict[str, dict[str, Any]]
"""Of each task, its rows as Arrow tables, by table."""


def parts_of(seed: int) -> Parts:
    """Return the rows of a template by task."""
    found, random = template(seed), np.random.default_rng(seed)
    parts: Parts = {}
    for task in stored_tasks(found):
        rows = encode_task(found, task, 0)
        if task == "speech":
            keys = ("run", "number", "start", "end")
            vectors = _unit(random.standard_normal((len(rows["speech"]), VECTOR_SPACES["sentences"])))
            rows["sentences"] = [
                {key: row[key] for key in keys} | {"model": "minilm", "vector": vector}
                for row, vector in zip(rows["speech"], vectors, strict=True)
            ]
        tables = {name: pa.Table.from_pylist(table, schema=schemas()[name]) for name, table in rows.items() if table}
        parts[task] = tables | {"digest": rows_digest(rows)}
    return parts


def video_rows(parts: Parts, run: int, random: np.random.Generator) -> Iterator[tuple[str, Any]]:
    """Yield the tables of one video: the template's with runs of its own, and noise on its vectors."""
    for number, tables in enumerate(parts.values()):
        for name, table in tables.items():
            if name != "digest":
                own = table.set_column(0, "run", pa.array(np.full(len(table), run + number), pa.int64()))
                yield name, _noisy(own, random) if name in VECTOR_SPACES else own


def _noisy(table: Any, random: np.random.Generator) -> Any:
    length = table.schema.field("vector").type.list_size
    rows = np.concatenate([part.flatten().to_numpy() for part in table["vector"].chunks]).reshape(-1, length)
    rows = _unit(rows + random.standard_normal(rows.shape).astype(np.float32) * 0.3 / np.sqrt(length))
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(rows.ravel()), length)
    return table.set_column(table.schema.get_field_index("vector"), table.schema.field("vector"), vectors)


def fill(library: Library, count: int) -> None:
    """Write ``count`` videos in large batches, in the layout of a library after they were added."""
    templates, random = [parts_of(seed) for seed in range(TEMPLATES)], np.random.default_rng(0)
    for first in range(0, count, VIDEOS_PER_WRITE):
        pieces: dict[str, list[Any]] = {name: [] for name in RESULT_TABLES}
        rows = []
        for number in range(first, min(count, first + VIDEOS_PER_WRITE)):
            parts, run = templates[number % TEMPLATES], (number + 1) * 100
            for name, table in video_rows(parts, run, random):
                pieces[name].append(table)
            runs = {
                task: {"run": run + n, "digest": parts[task]["digest"], "events": 0, "tracks": 0}
                for n, task in enumerate(parts)
            }
            content = hashlib.sha256(str(number).encode()).hexdigest()
            path, metadata = f"/films/{number}.mp4", {"width": 1280, "height": 720}
            video = StoredVideo(content, path, f"{number}.mp4", 0.0, MINUTES * 60.0, f"{number:06d}", metadata, runs)
            rows.append(video.to_row())
        for name, tables in pieces.items():
            if tables:
                library.tables[name].add(pa.concat_tables(tables))
        library.tables["videos"].add(pa.Table.from_pylist(rows, schema=schemas()["videos"]))
    for name in ("videos", *RESULT_TABLES):
        library.tables.compact(name)


def timed(job: Callable[[], Any], runs: int) -> tuple[float, float, float, Any]:
    """Return the milliseconds of the first run, median and maximum of those after it, and the result."""
    milliseconds, result = [], None
    for _ in range(runs + 1):
        begin = time.perf_counter()
        result = job()
        milliseconds.append(1000 * (time.perf_counter() - begin))
    return milliseconds[0], statistics.median(milliseconds[1:]), max(milliseconds[1:]), result


def vector_queries() -> dict[str, VectorQuery]:
    """Return query vectors: those of a template, with noise."""
    random, features = np.random.default_rng(7), template(3).features
    noise = {
        name: random.standard_normal(rows.shape[1]) * 0.3 / rows.shape[1] ** 0.5
        for name, rows in features.items()
        if rows.ndim == 2
    }
    scene, face = (_unit((features[n][5] + noise[n])[None])[0] for n in ("scenes.features", "faces.embeddings"))
    return {
        "--like an image": VectorQuery("scenes", scene, "efficientnet-lite0", "looks like it", 0.45),
        "--like a face": VectorQuery("faces", face, "faces", "this face", 0.45),
    }


def report(library: Library, runs: int) -> None:
    """Print the table."""
    sentence = _unit(np.random.default_rng(1).standard_normal((1, VECTOR_SPACES["sentences"])))[0]
    jobs: dict[str, Callable[[], Any]] = {query: lambda q=query: search_videos(library, parse(q)) for query in QUERIES}
    jobs["about, of a vector"] = lambda: search_videos(library, parse('about "x"'), embed=lambda _: sentence)
    jobs |= {name: lambda one=like: search_videos(library, None, [one]) for name, like in vector_queries().items()}
    print("| query | first, ms | median, ms | maximum, ms | moments |\n|---|---|---|---|---|")
    for name, job in jobs.items():
        first, median, maximum, moments = timed(job, runs)
        print(f"| `{name}` | {first:.0f} | {median:.0f} | {maximum:.0f} | {len(moments)} |", flush=True)


def report_changes(library: Library) -> None:
    """Print the seconds that it takes to add one more video, to add it again, and to remove it."""
    timeline = template(99)
    for outcome in ("added", "same"):
        begin = time.perf_counter()
        assert library.add("f" * 64, "/films/more.mp4", timeline) == outcome
        print(f"one more video, {outcome}: {time.perf_counter() - begin:.2f} s", flush=True)
    begin = time.perf_counter()
    library.remove(["/films/more.mp4"])
    print(f"removed, and deleted from the disk: {time.perf_counter() - begin:.2f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=1000)
    parser.add_argument("--library", type=Path, help="path of the library; an existing one is measured as it is")
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = options.library or Path(folder, "films.lance")
        existing, begin = path.exists(), time.perf_counter()
        library = Library(path, create=True)
        if not existing:
            fill(library, options.videos)
        rows = {name: library.tables[name].count_rows() for name in ("videos", *RESULT_TABLES)}
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 1e6
        print(f"{machine()}\n{rows}: {sum(rows.values())} rows, {size:.0f} MB")
        print(f"filled in {time.perf_counter() - begin:.0f} s\n" if not existing else "", flush=True)
        report(library, options.runs)
        report_changes(library)


if __name__ == "__main__":
    main()
