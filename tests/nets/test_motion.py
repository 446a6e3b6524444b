"""The network on frame differences of the region with the largest motion, on clips in which that is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from kinoscope.nets.motion import MotionNet


class AveragePooling(nn.Module):
    """Maps frames (N, H, W, 3) to (N, 3, H / 8, W / 8)."""

    def forward(self, pixels: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(pixels.permute(0, 3, 1, 2), 8)


def network() -> MotionNet:
    cnn = AveragePooling()
    return MotionNet(cnn, [cnn], 3, 2, share=0.5, glimpse=32).eval()


def moving(left: int, top: int, height: int = 96, width: int = 160, ground: float = 90.0) -> Tensor:
    """Return a clip (1, 8, H, W, 3) of a square of 16 pixels that moves 2 pixels a frame to the right."""
    clip = torch.full((1, 8, height, width, 3), ground)
    for frame in range(8):
        clip[0, frame, top : top + 16, left + 2 * frame : left + 2 * frame + 16] = 220
    return clip


@pytest.mark.parametrize(("left", "top"), [(60, 40), (4, 4), (120, 70), (10, 72)])
def test_the_crop_contains_what_moves(left: int, top: int) -> None:
    net, clip = network(), moving(left, top)
    x, y = ((net.motion_centres(clip)[0] + 1) / 2 * torch.tensor([160, 96])).tolist()
    # The whole path is inside the square, whose side is half of the height.
    assert x - 24 <= left + 4
    assert left + 26 <= x + 24
    assert y - 24 <= top + 4
    assert top + 12 <= y + 24
    assert net.frame_differences(clip).max() == 255


def test_a_static_clip_has_no_differences() -> None:
    assert (network().frame_differences(torch.full((1, 4, 64, 64, 3), 200.0)) == 127).all()


def test_the_background_has_no_effect() -> None:
    net = network()
    scene = torch.rand(1, 1, 96, 160, 3, generator=torch.Generator().manual_seed(0)) * 60
    clip = moving(60, 40, ground=0.0)
    with_scene = torch.where(clip > 0, clip, scene.expand_as(clip))
    torch.testing.assert_close(net.motion_centres(with_scene), net.motion_centres(clip), atol=0.02, rtol=0)


def test_maps_are_placed_back_at_the_position_of_the_crop() -> None:
    net, clip = network(), moving(100, 60)
    maps = net.uncrop(torch.ones(7, 4, 4), clip[0])
    assert maps.shape == (8, 96, 160)
    x, y = ((net.motion_centres(clip)[0] + 1) / 2 * torch.tensor([160, 96])).tolist()
    rows, columns = maps[3].nonzero().T
    assert abs(rows.float().mean() - y) <= 1
    assert abs(columns.float().mean() - x) <= 1
    assert rows.max() - rows.min() + 1 == 60  # the crop's 48 rows, and half a cell of 12 on each side
    assert maps[3, round(y), round(x)] == pytest.approx(1)


@pytest.mark.parametrize(("height", "width"), [(33, 17), (50, 20), (8, 8)])
def test_odd_and_narrow_frames_are_accepted(height: int, width: int) -> None:
    clip = torch.randint(0, 256, (2, 3, height, width, 3), dtype=torch.uint8)
    embedding, logits = network()(clip)
    assert (embedding.shape, logits.shape) == ((2, 6), (2, 2))
    assert torch.isfinite(logits).all()


def test_the_embedding_is_mean_and_maximum_over_time() -> None:
    net, clip = network(), moving(60, 40)
    differences = net.frame_differences(clip)[0].mean((1, 2))
    expected = torch.cat([differences.mean(0), differences.amax(0)])
    torch.testing.assert_close(net(clip)[0][0], expected)
