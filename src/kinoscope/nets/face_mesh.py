"""Face mesh: 468 points of a face, and whether there is one, from a crop of it.

Paper: Kartynnik et al., "Real-time Facial Surface Geometry from Monocular Video on Mobile GPUs", CVPR workshop on
computer vision for AR/VR 2019 (arXiv 1907.06724). Weights and body: MediaPipe's face mesh as a TensorFlow.js graph,
Apache-2.0.
"""

from __future__ import annotations

from torch import Tensor, nn

LANDMARKS = 468


class FaceMesh(nn.Module):
    """uint8 RGB (N, 192, 192, 3) -> points (N, 468, 3) in pixels of the crop, presence (N,) in [0, 1].

    The third axis goes towards the back. ``body`` takes float RGB (N, 192, 192, 3), 0 to 1, and gives points and
    presence.
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Give the points and the presence of each crop's face."""
        points, presence = self.body(pixels.float() / 255)
        return points.reshape(-1, LANDMARKS, 3), presence.reshape(-1)
