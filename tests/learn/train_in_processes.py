"""Trains the tiny network, as one of several processes: CLIPS FOLDER OPTIONS..."""

import sys
from pathlib import Path

from tiny_training import NETWORK, dataset, options

from kinoscope.learn.training import train
from kinoscope.models import networks

networks.NETWORKS = (NETWORK,)
clips, folder, *words = sys.argv[1:]
train(options(*words), dataset(Path(clips)), Path(folder))
