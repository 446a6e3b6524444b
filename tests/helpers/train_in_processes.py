"""Trains the tiny network, as one of several processes, once with each loss: CLIPS FOLDER LOSS=PORT,... OPTIONS..."""

import os
import sys
from pathlib import Path

from kinoscope.models.trainable import classifiers
from tests.helpers.tiny_networks import NETWORK, dataset, options, train

classifiers.NETWORKS = (NETWORK,)
clips, folder, losses, *words = sys.argv[1:]
for pair in losses.split(","):
    loss, _, os.environ["MASTER_PORT"] = pair.partition("=")
    train(options(f"loss={loss}", *words), dataset(Path(clips)), Path(folder) / loss)
