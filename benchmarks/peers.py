"""What users run today for one video, one tool after another; each is one function, run in a process of its own.

    python benchmarks/peers.py TOOL VIDEO [--weights FOLDER]

Prints one line of JSON with what the tool found. Meant for a virtual environment of its own (see analyze.py):
some of these packages bring a second OpenCV.
"""

from __future__ import annotations

import argparse
import json
import sys
import types
from pathlib import Path
from typing import Any

WEIGHTS = Path(".bench")
OBJECT_STRIDE, FACE_STRIDE, WINDOW_STRIDE = 3, 5, 32
"""Frames between two detections, two face searches, and two windows of the action network."""


def frames(video: str, stride: int = 1) -> Any:
    """Yield every ``stride``-th frame, (H, W, 3) uint8 BGR, as most scripts do: with OpenCV."""
    import cv2

    capture, index = cv2.VideoCapture(video), 0
    while True:
        good, frame = capture.read()
        if not good:
            return
        if index % stride == 0:
            yield frame
        index += 1


def shots(video: str) -> dict[str, Any]:
    """PySceneDetect, adaptive."""
    from scenedetect import AdaptiveDetector, detect

    return {"shots": len(detect(video, AdaptiveDetector(), start_in_scene=True))}


def objects(video: str) -> dict[str, Any]:
    """The same NanoDet in ONNX Runtime on every third frame, non-maximum suppression by OpenCV, IoU association."""
    import cv2
    import numpy as np
    import onnxruntime

    session = onnxruntime.InferenceSession(str(WEIGHTS / "nanodet.onnx"), providers=["CPUExecutionProvider"])
    tracks: list[Any] = []
    ended = 0
    for frame in frames(video, OBJECT_STRIDE):
        small = cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), (416, 416))
        boxes, scores = session.run(None, {"pixels": small[None]})
        best, label = scores[0].max(1), scores[0].argmax(1)
        likely = np.flatnonzero(best > 0.35)
        corners = boxes[0][likely]
        flat = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)
        kept = cv2.dnn.NMSBoxesBatched(flat.tolist(), best[likely].tolist(), label[likely].tolist(), 0.35, 0.6)
        new = [corners[i] for i in kept]
        tracks, lost = associate(tracks, new)
        ended += lost
    return {"tracks": ended + len(tracks)}


def associate(tracks: list[Any], boxes: list[Any]) -> tuple[list[Any], int]:
    """Greedy association by overlap: give the boxes as the new tracks, and how many old tracks found none."""
    left = list(tracks)
    for box in boxes:
        overlaps = [overlap(box, track) for track in left]
        if overlaps and max(overlaps) > 0.3:
            left.pop(overlaps.index(max(overlaps)))
    return boxes, len(left)


def overlap(a: Any, b: Any) -> float:
    """Intersection over union of two boxes (x1, y1, x2, y2)."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    return float(both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both))


def stand_in_for_torchvision() -> None:
    """Give facenet-pytorch the two functions that it takes from torchvision.

    torchvision does not import beside the CPU build of torch that is used here; what it would do is a small
    part of the time.
    """
    import numpy as np
    import torch

    def to_tensor(picture: Any) -> Any:
        return torch.from_numpy(np.asarray(picture).transpose(2, 0, 1).copy()).float() / 255

    def batched_nms(boxes: Any, scores: Any, groups: Any, threshold: float) -> Any:
        shifted = boxes + groups[:, None].to(boxes) * (boxes.max() + 1 if len(boxes) else 0)
        corners, order, kept = shifted.numpy(), scores.argsort(descending=True).numpy(), []
        areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
        while len(order):
            first, rest = order[0], order[1:]
            kept.append(int(first))
            low = np.maximum(corners[first, :2], corners[rest, :2])
            high = np.minimum(corners[first, 2:], corners[rest, 2:])
            both = np.clip(high - low, 0, None).prod(1)
            order = rest[both / (areas[first] + areas[rest] - both) <= threshold]
        return torch.tensor(kept, dtype=torch.int64)

    names = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    modules = {name: types.ModuleType(name) for name in (*names, "torchvision.ops", "torchvision.ops.boxes")}
    modules["torchvision.transforms.functional"].to_tensor = to_tensor  # type: ignore[attr-defined]
    modules["torchvision.transforms"].functional = modules["torchvision.transforms.functional"]  # type: ignore[attr-defined]
    modules["torchvision.ops.boxes"].batched_nms = batched_nms  # type: ignore[attr-defined]
    sys.modules.update(modules)


def faces(video: str) -> dict[str, Any]:
    """MTCNN of facenet-pytorch, as it comes, on every fifth frame."""
    stand_in_for_torchvision()
    from facenet_pytorch import MTCNN

    finder, found = MTCNN(keep_all=True), 0
    for frame in frames(video, FACE_STRIDE):
        boxes, _ = finder.detect(frame[..., ::-1].copy())
        found += 0 if boxes is None else len(boxes)
    return {"faces": found}


def speech(video: str) -> dict[str, Any]:
    """faster-whisper tiny.en, int8, with its voice activity filter."""
    from faster_whisper import WhisperModel

    model = WhisperModel(str(WEIGHTS / "whisper"), compute_type="int8", local_files_only=True)
    segments, _ = model.transcribe(video, vad_filter=True)
    return {"sentences": len(list(segments))}


def actions(video: str) -> dict[str, Any]:
    """MC3-18 in eager torch, windows of 16 frames."""
    import cv2
    import numpy as np
    import torch

    net = torch.jit.load(str(WEIGHTS / "mc3.ts")).eval()
    window: list[Any] = []
    scores = []
    with torch.inference_mode():
        for index, frame in enumerate(frames(video)):
            window = [*window[-15:], cv2.resize(frame, (112, 112))[..., ::-1]]
            if index >= 15 and (index - 15) % WINDOW_STRIDE == 0:
                scores.append(net(torch.from_numpy(np.stack(window)[None].copy())))
    return {"windows": len(scores)}


TOOLS = {"shots": shots, "objects": objects, "faces": faces, "speech": speech, "actions": actions}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("tool", choices=TOOLS)
    parser.add_argument("video")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    WEIGHTS = options.weights
    print(json.dumps(TOOLS[options.tool](options.video)))
