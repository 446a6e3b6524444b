import pytest

from kinoscope.core.errors import OptionError, RulesError
from kinoscope.pipeline.alerts.dispatch import read_rules

TASKS = ("objects", "faces")


@pytest.fixture
def written(tmp_path):
    def write(fields):
        path = tmp_path / "rules.yaml"
        path.write_text(f"rules: [{{name: a, kind: crowd, count: 2, {fields}}}]")
        return path

    return write


def test_labels_are_those_of_the_detectors_that_run(written):
    assert read_rules(written("labels: [person, face]"), TASKS)
    with pytest.raises(RulesError, match="names the label 'face', which no detector here reports"):
        read_rules(written("labels: [face]"), ("objects",))
    with pytest.raises(RulesError, match=r"names the label 'persons', which .*did you mean person"):
        read_rules(written("labels: [persons]"), TASKS, {"objects": "nanodet"})


def test_identities_are_those_of_the_gallery(written):
    assert read_rules(written("identities: [Ada]"), TASKS, names=["Ada"])
    with pytest.raises(RulesError, match="rule 'a' needs identities, which only a gallery has: give --gallery"):
        read_rules(written("identities: [Ada]"), TASKS)
    with pytest.raises(RulesError, match=r"'Adda', who is not in the gallery; did you mean Ada\? known: Ada"):
        read_rules(written("identities: [Adda]"), TASKS, names=["Ada"])


def test_the_time_of_day_needs_a_clock_in_a_recording(written):
    path = written('hours: ["22:00-06:00"]')
    assert read_rules(path, TASKS, recording=False)
    with pytest.raises(RulesError, match=r"rules.yaml: rule 'a' depends on the time of day"):
        read_rules(path, TASKS)


def test_something_must_be_followed(written):
    with pytest.raises(OptionError, match="rules need tracks; add objects or faces to --tasks"):
        read_rules(written(""), ("shots",))
