from importlib.metadata import EntryPoint

import pytest

from kinoscope.core.errors import PluginError
from kinoscope.core.plugins import entry, lazy, load_entry


class _Distribution:
    name = "kinoscope-rain"


def test_an_object_of_the_package_is_imported_by_its_path():
    from kinoscope.core.validation import suggest

    assert load_entry(entry("core.validation:suggest")) is suggest
    assert lazy("core.validation:suggest")("cofo", ["coco"]) == "did you mean coco? "


@pytest.mark.parametrize("value", ["no_such_module:Rain", "json:Rain"])
def test_a_plugin_that_cannot_be_loaded_is_named_with_its_package(value):
    broken = EntryPoint("rain", value, "kinoscope.tasks")
    vars(broken).update(dist=_Distribution())  # as importlib.metadata does for those of installed packages
    with pytest.raises(PluginError) as caught:
        load_entry(broken)
    message = str(caught.value)
    assert message.startswith(f"plugin rain ({value}) of kinoscope-rain cannot be loaded (")
    assert message.endswith("update kinoscope-rain, or uninstall it")


def test_an_error_in_the_package_itself_is_not_hidden():
    with pytest.raises(ModuleNotFoundError):
        load_entry(entry("no_such_module:f"))
