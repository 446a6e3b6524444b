"""Face mesh: 468 3-D landmarks of a face, and the presence of a face, from a crop of it.

Paper: Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", CVPR workshop on
computer vision for AR/VR 2019 (arXiv 1907.06724). Weights and body: MediaPipe's face mesh as a TensorFlow.js graph,
Apache-2.0.
"""

from __future__ import annotations

from torch import Tensor, nn

LANDMARKS = 468


class FaceMesh(nn.Module):
    """uint8 RGB crops (N, 192, 192, 3) -> landmarks (N, 468, 3) in pixels of the crop, presence (N,) in [0, 1].

    The landmarks' axes are x, y and the depth, which grows away from the camera.

    Args:
        body: maps float RGB (N, 192, 192, 3) in [0, 1] to landmarks and presence.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the landmarks (N, 468, 3) and the presence (N,) of each crop's face."""
        landmarks, presence = self.body(pixels.float() / 255)
        return landmarks.reshape(-1, LANDMARKS, 3), presence.reshape(-1)
