"""A network that can be trained: a linear classifier of the mean colour of a clip."""

from torch import Tensor, nn

from kinoscope.core.sampling import Sampling
from kinoscope.models.trainable.classifiers import Network


class MeanColour(nn.Module):
    """RGB clips (N, T, H, W, 3) -> mean colour (N, 3) and logits (N, K)."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.maps = nn.Identity()
        self.head = nn.Linear(3, classes)

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean colour and the logits."""
        embedding = self.maps(pixels.float().mean((1, 2, 3)) / 255)
        return embedding, self.head(embedding)

    def trunk(self) -> list[nn.Module]:
        """Return the stages of the backbone."""
        return [self.maps]


MEAN_COLOUR = Network(
    name="mean-colour", about="a linear classifier of the mean colour", build=MeanColour,
    sampling=Sampling(4, 4.0, (16, 12)),
)  # fmt: skip
