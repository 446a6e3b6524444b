"""Other tools for the same results, which users run one after another; each in a process of its own.

    python benchmarks/peers.py TOOL VIDEO [--weights FOLDER]

Prints one line of JSON with the tool's results. It runs in a virtual environment of its own (see analyze.py), since
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
        ok, frame = capture.read()
        if not ok:
            return
        if index % stride == 0:
            yield frame
        index += 1


def shots(video: str) -> dict[str, Any]:
    """Detect shots by PySceneDetect, adaptive."""
    from scenedetect import AdaptiveDetector, detect

    return {"shots": len(detect(video, AdaptiveDetector(), start_in_scene=True))}


def objects(video: str) -> dict[str, Any]:
    """Track objects by the same NanoDet in ONNX Runtime on every third frame, OpenCV's NMS and IoU association."""
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
        candidates = np.flatnonzero(best > 0.35)
        corners = boxes[0][candidates]
        flat = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], 1)
        scores, labels = best[candidates].tolist(), label[candidates].tolist()
        new = [corners[i] for i in cv2.dnn.NMSBoxesBatched(flat.tolist(), scores, labels, 0.35, 0.6)]
        tracks, lost = associate(tracks, new)
        ended += lost
    return {"tracks": ended + len(tracks)}


def associate(tracks: list[Any], boxes: list[Any]) -> tuple[list[Any], int]:
    """Associate boxes with tracks greedily by IoU; return the new tracks, and the number of tracks without a box."""
    left = list(tracks)
    for box in boxes:
        overlaps = [iou(box, track) for track in left]
        if overlaps and max(overlaps) > 0.3:
            left.pop(overlaps.index(max(overlaps)))
    return boxes, len(left)


def iou(a: Any, b: Any) -> float:
    """Compute the intersection over union of two boxes (x1, y1, x2, y2)."""
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    both = width * height
    return float(both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both))


def stand_in_for_torchvision() -> None:
    """Replace the two functions of torchvision that facenet-pytorch imports.

    torchvision does not import with the CPU build of torch that is used here; its functions take a small part of the
    time.
    """
    import numpy as np
    import torch

    def to_tensor(image: Any) -> Any:
        return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy()).float() / 255

    def batched_nms(boxes: Any, scores: Any, groups: Any, threshold: float) -> Any:
        shifted = boxes + groups[:, None].to(boxes) * (boxes.max() + 1 if len(boxes) else 0)
        corners, order, selected = shifted.numpy(), scores.argsort(descending=True).numpy(), []
        areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
        while len(order):
            first, rest = order[0], order[1:]
            selected.append(int(first))
            low = np.maximum(corners[first, :2], corners[rest, :2])
            high = np.minimum(corners[first, 2:], corners[rest, 2:])
            both = np.clip(high - low, 0, None).prod(1)
            order = rest[both / (areas[first] + areas[rest] - both) <= threshold]
        return torch.tensor(selected, dtype=torch.int64)

    names = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    modules = {name: types.ModuleType(name) for name in (*names, "torchvision.ops", "torchvision.ops.boxes")}
    modules["torchvision.transforms.functional"].to_tensor = to_tensor  # type: ignore[attr-defined]
    modules["torchvision.transforms"].functional = modules["torchvision.transforms.functional"]  # type: ignore[attr-defined]
    modules["torchvision.ops.boxes"].batched_nms = batched_nms  # type: ignore[attr-defined]
    sys.modules.update(modules)


def faces(video: str) -> dict[str, Any]:
    """Detect faces by MTCNN of facenet-pytorch with its defaults on every fifth frame."""
    stand_in_for_torchvision()
    from facenet_pytorch import MTCNN

    detector, count = MTCNN(keep_all=True), 0
    for frame in frames(video, FACE_STRIDE):
        boxes, _ = detector.detect(frame[..., ::-1].copy())
        count += 0 if boxes is None else len(boxes)
    return {"faces": count}


def speech(video: str) -> dict[str, Any]:
    """Recognize speech by faster-whisper tiny.en, int8, with its voice activity filter."""
    from faster_whisper import WhisperModel

    model = WhisperModel(str(WEIGHTS / "whisper"), compute_type="int8", local_files_only=True)
    segments, _ = model.transcribe(video, vad_filter=True)
    return {"sentences": len(list(segments))}


def actions(video: str) -> dict[str, Any]:
    """Classify windows of 16 frames by MC3-18 in eager torch."""
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
