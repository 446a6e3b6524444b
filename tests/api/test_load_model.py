from pathlib import Path

import kinoscope
from kinoscope.api.load_model import load_model
from kinoscope.pipeline import model_loading
from kinoscope.pipeline.loaded_models import Classifier


def test_a_folder_is_loaded_by_its_path(tiny):
    model = kinoscope.load_model(Path(tiny()), device="cpu", threads=1)
    assert isinstance(model, Classifier)
    assert model.labels == ("red", "green", "blue")


def test_its_documentation_lists_every_class():
    kinds = {*model_loading.CARD_CLASSES.values(), *model_loading.FOLDER_CLASSES.values()}
    names = {kind.__name__ for kind in kinds} | {"FeatureExtractor"}
    assert all(f"    - ``{name}`` (" in load_model.__doc__ for name in names)
