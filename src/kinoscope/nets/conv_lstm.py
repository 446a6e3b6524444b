"""ConvLSTM: a frame predictor; an LSTM whose state is a feature map encodes frames, a second one forecasts the next.

Paper: Shi et al., "Convolutional LSTM Network: A Machine Learning Approach for Precipitation Nowcasting", NeurIPS 2015
(arXiv 1506.04214): an encoder of several layers over patches of 4 x 4 pixels reads the frames; a forecaster of as many
layers starts from the encoder's states, takes no further input, and a 1 x 1 convolution over the states of all its
layers yields each frame. Differences: no peephole weights, layer normalization of the gates (Ba et al., "Layer
Normalization", 2016, as group norm of one group), which allows higher learning rates, and a smaller size.
Weights: none; it is initialized at random.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from kinoscope.nets.patches import PATCH_SIZE, fold_frames, output_layer, unfold_frames

KERNEL_SIZE = 3
"""Side of the convolutions' kernels, in patches."""

LSTMState = tuple[Tensor, Tensor]
"""Hidden state and cell state of a layer, each (N, D, H', W')."""


class ConvLSTMCell(nn.Module):
    """One layer: feature maps (N, C, H', W'), or None, and a state -> the next state.

    Args:
        inputs: channels C of the maps; 0 for a layer of the forecaster that has no input.
        width: channels D of the state.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(inputs + width, 4 * width, KERNEL_SIZE, padding=KERNEL_SIZE // 2, bias=False)
        self.norm = nn.GroupNorm(1, 4 * width)
        with torch.no_grad():  # a forget bias of 1 (Jozefowicz et al., ICML 2015)
            self.norm.bias[width : 2 * width] = 1

    def forward(self, maps: Tensor | None, state: LSTMState) -> LSTMState:
        """Return the next hidden state and cell state."""
        hidden, cell = state
        inputs = hidden if maps is None else torch.cat([maps, hidden], 1)
        input_gate, forget_gate, output_gate, candidate = self.norm(self.gates(inputs)).chunk(4, 1)
        cell = forget_gate.sigmoid() * cell + input_gate.sigmoid() * candidate.tanh()
        return output_gate.sigmoid() * cell.tanh(), cell


class ConvLSTM(nn.Module):
    """Frames (N, T, H, W, C), uint8 or float in [0, 255] -> the next ``after`` frames (N, after, H, W, C) in [0, 1].

    H and W are multiples of 4; T is any number.

    Args:
        before: input frames in training.
        after: frames that are predicted.
        channels: C of the frames.
        width: channels of each layer's state.
        depth: layers of the encoder and of the forecaster.
        still: initial weight of the last input frame in the output, see ``patches.output_layer``.
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
        """Return the next frames (N, after, H, W, C)."""
        patches = fold_frames(frames)
        return unfold_frames(self._forecast(self._encode(patches)), patches)

    def _encode(self, patches: Tensor) -> list[LSTMState]:
        """Encode patches (N, T, P, H', W') and return the state of each layer."""
        zeros = patches.new_zeros(patches.shape[0], self.width, *patches.shape[3:])
        states = [(zeros, zeros)] * len(self.encoder)
        for frame in patches.unbind(1):
            maps = frame
            for layer, cell in enumerate(self.encoder):
                states[layer] = cell(maps, states[layer])
                maps = states[layer][0]
        return states

    def _forecast(self, states: list[LSTMState]) -> Tensor:
        """Return the output layer's maps (N, after, P', H', W') of the next frames.

        The forecaster's first layer starts from the state of the encoder's deepest layer.
        """
        states, outputs = states[::-1], []
        for _ in range(self.after):
            maps: Tensor | None = None
            for layer, cell in enumerate(self.forecaster):
                states[layer] = cell(maps, states[layer])
                maps = states[layer][0]
            outputs.append(self.paint(torch.cat([hidden for hidden, _ in states], 1)))
        return torch.stack(outputs, 1)
