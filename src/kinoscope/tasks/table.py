"""The one table of tasks, in the order in which they finish: a task may look at what earlier rows found."""

from collections.abc import Callable

from kinoscope.tasks.actions import Actions
from kinoscope.tasks.base import Task
from kinoscope.tasks.classify import Classify
from kinoscope.tasks.faces import Faces
from kinoscope.tasks.objects import Objects
from kinoscope.tasks.scenes import Scenes
from kinoscope.tasks.shots import Shots
from kinoscope.tasks.speech import Speech

TASKS: dict[str, Callable[..., Task]] = {
    "shots": Shots,
    "scenes": Scenes,
    "objects": Objects,
    "faces": Faces,
    "actions": Actions,
    "classify": Classify,
    "speech": Speech,
}

ON_REQUEST = frozenset({"classify"})
"""Tasks that need a model of the user's, and are run only where one is given."""
