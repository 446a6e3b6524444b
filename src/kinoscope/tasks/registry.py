"""The registry of tasks, in the order in which they finish: a task may read the results of earlier rows."""

from collections.abc import Callable

from kinoscope.tasks.actions import Actions
from kinoscope.tasks.anomalies import Anomalies
from kinoscope.tasks.appearance import Appearance
from kinoscope.tasks.base import Task
from kinoscope.tasks.classify import Classify
from kinoscope.tasks.faces import Faces
from kinoscope.tasks.objects import Objects
from kinoscope.tasks.recognize import Recognize
from kinoscope.tasks.rules import Rules
from kinoscope.tasks.scenes import Scenes
from kinoscope.tasks.shots import Shots
from kinoscope.tasks.speech import Speech
from kinoscope.tasks.sync import Sync
from kinoscope.tasks.text import Text

TASKS: dict[str, Callable[..., Task]] = {
    "shots": Shots,
    "scenes": Scenes,
    "objects": Objects,
    "faces": Faces,
    "text": Text,
    "appearance": Appearance,
    "recognize": Recognize,
    "rules": Rules,
    "actions": Actions,
    "anomalies": Anomalies,
    "classify": Classify,
    "speech": Speech,
    "sync": Sync,
}

ON_REQUEST = {
    "classify": "a model; give --model classify=FOLDER, as `kinoscope train` wrote it",
    "recognize": "a gallery; give --gallery FILE, as `kinoscope enroll` wrote it",
    "rules": "rules; give --rules FILE, see examples/rules.yaml",
}
"""Tasks that need an input of the user and run only if it is given: which input, and the option that gives it."""

BY_NAME = {"anomalies", "text"}
"""Tasks that run only if named: they are expensive, or of interest to few users."""
