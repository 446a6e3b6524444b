"""Parts of networks whose outputs can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from kinoscope.nets.dlib_resnet import Affine, DlibBlock
from kinoscope.nets.efficientnet_lite import SameConv
from kinoscope.nets.mtcnn import ONet, normalize
from kinoscope.nets.nanodet import DISTANCE_BINS, NanoDet, cell_centres
from kinoscope.nets.transnetv2 import WINDOW, colour_histograms, neighbour_similarities
from kinoscope.nets.yolox import YoloxHead


@pytest.mark.parametrize(("kernel", "stride", "pads"), [(3, 1, (1, 1)), (3, 2, (0, 1)), (5, 2, (1, 2)), (1, 1, (0, 0))])
def test_same_padding_puts_the_odd_pixel_after(kernel, stride, pads):
    conv = SameConv(1, 1, kernel, stride)
    assert conv.pads == pads * 2
    assert conv(torch.zeros(1, 1, 8, 8)).shape == (1, 1, 8 // stride, 8 // stride)


def test_histograms_count_colours():
    pixels = torch.zeros(1, 2, 2, 2, 3, dtype=torch.uint8)
    pixels[0, 1, 0, 0] = torch.tensor([255, 32, 31])
    counts = colour_histograms(pixels)
    assert counts[0, 0].nonzero().tolist() == [[0]]
    assert counts[0, 1].nonzero().tolist() == [[0], [7 * 64 + 8]]
    assert counts[0, 1].sum() == 4


def test_neighbours_compares_each_frame_with_those_around_it():
    x = torch.randn(2, 7, 5, generator=torch.Generator().manual_seed(0))
    similarities = neighbour_similarities(x).numpy()
    unit = x.numpy() / np.linalg.norm(x.numpy(), axis=2, keepdims=True)
    for t in range(7):
        for k in range(WINDOW):
            other = t + k - WINDOW // 2
            expected = (unit[:, t] * unit[:, other]).sum(1) if 0 <= other < 7 else np.zeros(2)
            np.testing.assert_allclose(similarities[:, t, k], expected, atol=1e-6)


def test_cells_have_their_centres_and_strides():
    points, strides = cell_centres(torch.zeros(1, 64, 96, 3))
    assert points.shape == (8 * 12 + 4 * 6 + 2 * 3, 2)
    assert points[1].tolist() == [12, 4]
    assert (points[-1].tolist(), strides[-1].tolist()) == ([80, 48], [32])


class OneBox(nn.Module):
    """A body that predicts the distances 1, 2, 3, 4 strides in every cell with certainty."""

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        self.seen = x
        cells = [64, 16, 4]
        sides = torch.full((4, DISTANCE_BINS), -100.0)
        sides[torch.arange(4), torch.arange(1, 5)] = 100
        return [torch.zeros(1, n, 80) for n in cells] + [sides.flatten().expand(1, n, -1) for n in cells]


def test_nanodet_decodes_boxes_from_distributions():
    body = OneBox()
    net = NanoDet(body)
    pixels = torch.zeros(1, 64, 64, 3, dtype=torch.uint8)
    pixels[..., 0] = 200
    boxes, scores = net(pixels)
    assert boxes[0, 0].tolist() == [4 - 8, 4 - 16, 4 + 24, 4 + 32]
    assert boxes[0, -1].tolist() == [48 - 32, 48 - 64, 48 + 96, 48 + 128]
    assert scores.shape == (1, 84, 80)
    red = (200 - 123.675) / 58.395
    assert body.seen[0, 2, 0, 0].item() == pytest.approx(red)


def test_yolox_decodes_boxes_from_offsets_and_sizes():
    head = YoloxHead(64, 80, stride=16)
    raw = torch.zeros(1, 4, 2, 3)
    raw[0, :, 1, 2] = torch.tensor([0.5, 0.25, 0.0, np.log(2.0)])
    boxes = head.decode(raw)
    assert boxes[0, 0].tolist() == [-8, -8, 8, 8]
    np.testing.assert_allclose(boxes[0, 5], [40 - 8, 20 - 16, 40 + 8, 20 + 16], rtol=1e-6)


def test_mtcnn_pixels_are_normalized_around_zero():
    pixels = torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 2, 1).expand(1, 1, 2, 3)
    assert normalize(pixels)[0, 0, 0].tolist() == [-127.5 / 128, 127.5 / 128]


def test_mtcnn_points_are_pairs_of_x_and_y():
    net = ONet()
    with torch.no_grad():
        net.points.weight.zero_()
        net.points.bias.copy_(torch.arange(10.0))
        _, _, points = net(torch.zeros(1, 48, 48, 3, dtype=torch.uint8))
    assert points[0].tolist() == [[0, 5], [1, 6], [2, 7], [3, 8], [4, 9]]


def test_the_shortcut_of_a_downsampling_block_is_average_pooling():
    """With both scales at zero only the shortcut is left: the mean of 2 x 2, and zeros in the new channels."""
    block = DlibBlock(1, 2, down=True)
    for part in block.modules():
        if isinstance(part, Affine):
            nn.init.zeros_(part.weight)
    x = torch.arange(36.0).reshape(1, 1, 6, 6)
    with torch.no_grad():
        y = block(x)
    assert y.shape == (1, 2, 3, 3)
    assert y[0, 0].tolist() == [[3.5, 5.5, 7.5], [15.5, 17.5, 19.5], [27.5, 29.5, 31.5]]
    assert y[0, 1].abs().max() == 0
