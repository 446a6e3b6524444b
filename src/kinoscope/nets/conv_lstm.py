"""ConvLSTM: an LSTM whose state is a picture, which reads frames and then tells how they go on.

Paper: Shi et al., "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting", NeurIPS 2015
(arXiv 1506.04214): an encoder of several layers over patches of 4 x 4 pixels reads the frames; a forecaster of as many
begins with the encoder's states, takes no further input, and a 1 x 1 convolution over all its layers' states gives each
frame. Ours leaves out the weights by which gates look at their cell (peepholes), normalizes the gates (Ba et al.,
"Layer Normalization", 2016, as groups of one), which lets it learn at higher rates, and is smaller.
Weights: none; it starts random.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kinoscope.nets.patches import PATCH_SIZE, fold_frames, output_layer, unfold_frames

KERNEL_SIZE = 3
"""Side in patches of what a convolution sees."""

LSTMState = tuple[Tensor, Tensor]
"""What a layer says and what it keeps, each (N, D, H', W')."""


class ConvLSTMCell(nn.Module):
    """One layer: maps (N, C, H', W'), or nothing, and a state -> the next state.

    Args:
        inputs: channels of the maps; 0 for a layer that only goes on.
        width: channels of the state.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(inputs + width, 4 * width, KERNEL_SIZE, padding=KERNEL_SIZE // 2, bias=False)
        self.norm = nn.GroupNorm(1, 4 * width)
        with torch.no_grad():  # a cell that keeps what it has is where to begin (Jozefowicz et al., ICML 2015)
            self.norm.bias[width : 2 * width] = 1

    def forward(self, maps: Tensor | None, state: LSTMState) -> LSTMState:
        """Give the next state."""
        said, kept = state
        seen = said if maps is None else torch.cat([maps, said], 1)
        enter, stay, tell, new = self.norm(self.gates(seen)).chunk(4, 1)
        kept = stay.sigmoid() * kept + enter.sigmoid() * new.tanh()
        return tell.sigmoid() * kept.tanh(), kept


class ConvLSTM(nn.Module):
    """Frames (N, T, H, W, C), uint8 or float in 0 to 255 -> the next ``after`` frames (N, after, H, W, C) in 0 to 1.

    H and W are multiples of 4; the frames before may be any number.

    Args:
        before, after: frames that are read in training, and told.
        channels: C of the frames.
        width: channels of each layer's state.
        depth: layers of the encoder and of the forecaster.
        still: how much of the last frame stays before anything is learned.
    """

    def __init__(
        self,
        before: int = 10,
        after: int = 10,
        channels: int = 3,
        width: int = 64,
        depth: int = 2,
        still: float = 0.9,
    ) -> None:
        super().__init__()
        self.before, self.after, self.width = before, after, width
        self.encoder = nn.ModuleList(
            ConvLSTMCell(width if layer else channels * PATCH_SIZE**2, width) for layer in range(depth)
        )
        self.forecaster = nn.ModuleList(ConvLSTMCell(width if layer else 0, width) for layer in range(depth))
        self.paint = output_layer(depth * width, channels, still)

    def forward(self, frames: Tensor) -> Tensor:
        """Give the next frames."""
        patches = fold_frames(frames)
        return unfold_frames(self._go_on(self._read(patches)), patches)

    def _read(self, patches: Tensor) -> list[LSTMState]:
        """Read patches (N, T, P, H', W'); give the state of each layer."""
        nothing = patches.new_zeros(len(patches), self.width, *patches.shape[3:])
        states = [(nothing, nothing)] * len(self.encoder)
        for frame in patches.unbind(1):
            maps = frame
            for layer, cell in enumerate(self.encoder):
                states[layer] = cell(maps, states[layer])
                maps = states[layer][0]
        return states

    def _go_on(self, states: list[LSTMState]) -> Tensor:
        """Tell of each patch (N, after, P, H', W') of what follows; the deepest layer, which knows most, goes first."""
        states, told = states[::-1], []
        for _ in range(self.after):
            maps: Tensor | None = None
            for layer, cell in enumerate(self.forecaster):
                states[layer] = cell(maps, states[layer])
                maps = states[layer][0]
            told.append(self.paint(torch.cat([said for said, _ in states], 1)))
        return torch.stack(told, 1)
