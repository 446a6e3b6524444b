"""Options of the training of segment boundaries, given as ``key=value``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kinoscope.core.errors import OptionError
from kinoscope.core.files import require_free
from kinoscope.core.options import option
from kinoscope.training.options import TrainingOptions


@dataclass(frozen=True, kw_only=True)
class SegmentOptions(TrainingOptions):
    """Options of the training of segment boundaries."""

    model: str = option("", "folder that train classify wrote, to which the refinement is added")

    def check_model(self) -> None:
        """Check that there is a model without another refinement.

        Raises:
            OptionError: there is no model.
            OutputError: a file of another program is in the way.
        """
        from kinoscope.models.inference.segment_refiner import REFINER_FILE

        if not (Path(self.model) / "model.json").is_file():
            raise OptionError("train segments needs model=FOLDER, a folder that `kinoscope train classify` wrote")
        require_free(Path(self.model) / REFINER_FILE)
