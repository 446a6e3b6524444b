import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from kinoscope.core.errors import RulesError
from kinoscope.rules import read_rules, rule_file, rules_schema

PUBLISHED = json.loads(Path(rule_file.__file__).with_name("rules.schema.json").read_text())
LABELS = ("person", "car", "backpack")

HEAD = "zones: {yard: [[0, 0], [1, 0], [1, 1]]}\nlines: {door: [[0, 0], [1, 1]]}\n"


def reading(tmp_path, text, labels=LABELS):
    path = tmp_path / "rules.yaml"
    path.write_text(text)
    return read_rules(path, labels)


def one(*lines):
    return HEAD + "rules:\n- " + "\n  ".join(lines) + "\n"


def test_all_kinds(tmp_path):
    kinds: list[dict[str, Any]] = [
        {"kind": "zone", "zone": "yard", "when": "enter", "hours": ["22:00-06:00"], "days": ["sat", "sun"]},
        {"kind": "line", "line": "door", "direction": [1, -1]},
        {"kind": "loitering", "zone": "yard", "seconds": 10, "labels": ["person"], "score": 0.5, "cooldown": 60},
        {"kind": "crowd", "count": 3},
        {"kind": "left-object", "seconds": 30},
        {"kind": "wrong-way", "direction": "up", "identities": ["Ada"]},
    ]
    plain: dict[str, Any] = {"clock": "2026-11-26 08:00:00", "zones": {"yard": [[0, 0], [1, 0], [1, 1]]}}
    plain |= {"lines": {"door": [[0, 0], [1, 1]]}, "rules": [{"name": f"r{n}"} | kind for n, kind in enumerate(kinds)]}
    rules = reading(tmp_path, yaml.safe_dump(plain))
    assert [rule.kind for rule in rules.rules] == [kind["kind"] for kind in kinds]
    assert rules.clock is not None
    assert rules.clock.hour == 8
    jsonschema.validate(plain, PUBLISHED)


def test_the_published_schema_is_current():
    jsonschema.Draft202012Validator.check_schema(PUBLISHED)
    assert rules_schema() == PUBLISHED  # python -m kinoscope.rules > src/kinoscope/rules/rules.schema.json


LOITER = ("name: idle", "kind: loitering", "zone: yard")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (one(*LOITER, "seconds: -3"), "rule 'idle', field 'seconds' must be greater than 0, not -3"),
        (one(*LOITER, "seconds: .nan"), "rule 'idle', field 'seconds' must be "),
        (one(*LOITER), "rule 'idle', field 'seconds' is missing"),
        (one(*LOITER, "seconds: soon"), "rule 'idle', field 'seconds' must be a valid number, "),
        (one(*LOITER, "second: 3"), "field 'second' is not known here; did you mean seconds? known: "),
        (
            one(*LOITER, "seconds: 3", "lables: [person]"),
            "rule 'idle', field 'lables' is not known here; did you mean labels? known: name, labels, ident",
        ),
        (one(*LOITER, "seconds: 3", "labels: [dragon]"), "rule 'idle', field 'labels' names the label 'dragon', which"),
        (one(*LOITER, "seconds: 3", "labels: [persn]"), "did you mean person? known: backpack, car, person"),
        (one(*LOITER, "seconds: 3", "labels: []"), "rule 'idle', field 'labels' "),
        (
            one(*LOITER, "seconds: 3", "hours: [evening]"),
            "field 'hours[1]' must be like \"22:00-06:00\", not 'evening'",
        ),
        (one(*LOITER, "seconds: 3", "days: [friday]"), "field 'days[1]' must be 'mon', 'tue'"),
        (one(*LOITER, "seconds: 3", "score: 60"), "rule 'idle', field 'score' must be less than or equal to 1, not 60"),
        (one("name: a", "kind: loiter"), "rule 'a' must have a kind, one of zone, line, loitering, crowd, left-object"),
        (one("kind: crowd", "count: 2"), "rule 1, field 'name' is missing"),
        (one("name: a"), "rule 'a' must have a kind"),
        (one("name: a", "kind: zone", "zone: yrd"), "field 'zone' names 'yrd'; did you mean yard? known: yard"),
        (one("name: a", "kind: line", "line: yard"), "rule 'a', field 'line' names 'yard'; known: door"),
        (
            one("name: a", "kind: line", "line: door", "direction: north"),
            "field 'direction' must be one of right, left",
        ),
        (one("name: a", "kind: line", "line: door", "direction: [0, 0]"), "field 'direction' must be [x, y], not both"),
        (one("name: a", "kind: crowd", "count: 2") + "- {name: a, kind: crowd, count: 3}", "two rules are named 'a'"),
        (
            "zones: {far: [[0, 0], [640, 0], [640, 480]]}\nrules: [{name: a, kind: crowd, count: 1}]",
            "zone 'far' has the point [640, 0] outside the frame; fractions are from 0 to 1; for pixels write `units",
        ),
        ("zones: {flat: [[0, 0], [1, 1]]}\nrules: []", "zone 'flat' must have 3 corners or more, not 2 (and 1 more)"),
        ("zones: {flat: [[0, 0], [1, 1], [0.5, 0.5]]}\nrules: []", "zone 'flat' encloses nothing: its corners lie on"),
        ("lines: {dot: [[0, 0], [0, 0]]}\nrules: []", "line 'dot' must have two ends that differ"),
        ("units: feet\nrules: []", "field 'units' must be 'fractions' or 'pixels', not 'feet'"),
        ("rules: []", "field 'rules' "),
        ("clock: soon\nrules: []", "field 'clock' must be a valid datetime"),
        ("zone: {}\nrules: []", "field 'zone' is not known here; did you mean zones? known: units, clock, zones"),
        ("- a\n- b", " contains no rules; give a list of them under `rules:`"),
        ("", " contains no rules"),
        ("rules: [", " is not YAML: "),
        ("rules: []\nrules: []", " is not YAML: 'rules' is given twice (line 2, column 1)"),
        ("rules: !!python/object/apply:os.system [ls]", " is not YAML: could not determine a constructor"),
        ("rules: &a [*a]", " is not YAML that can be read: it has more than 20000 values, those that aliases repeat"),
        ("[" * 2000, " is not YAML that can be read"),
        ("clock: !!timestamp x", " is not YAML that can be read"),
        ("? [a, b]\n: 3", " is not YAML: found unhashable key"),
        ("clock: 2026-13-45 00:00:00\nrules: []", " is not YAML that can be read: month must be in 1..12"),
    ],
)
def test_a_fault_is_one_line(tmp_path, text, message):
    with pytest.raises(RulesError) as error:
        reading(tmp_path, text)
    assert message in str(error.value)
    assert str(error.value).startswith(str(tmp_path / "rules.yaml"))
    assert "\n" not in str(error.value)


def test_files_that_are_none(tmp_path):
    with pytest.raises(RulesError, match=r"cannot read .*no.yaml: no such file"):
        read_rules(tmp_path / "no.yaml")
    (tmp_path / "picture.yaml").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(RulesError, match="is not text"):
        read_rules(tmp_path / "picture.yaml")
    (tmp_path / "large.yaml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(RulesError, match="is larger than 1 MB"):
        read_rules(tmp_path / "large.yaml")


def test_default_labels_of_left_objects_may_be_unknown_but_not_those_of_people(tmp_path):
    assert reading(tmp_path, "rules: [{name: a, kind: left-object, seconds: 5}]")
    with pytest.raises(RulesError, match="field 'people' names the label 'person', which no detector here reports"):
        reading(tmp_path, "rules: [{name: a, kind: left-object, seconds: 5}]", labels=("suitcase",))


def test_labels_are_not_checked_where_none_are_known(tmp_path):
    assert reading(tmp_path, "rules: [{name: a, kind: crowd, count: 1, labels: [dragon]}]", labels=())


def doubled(levels, link):
    """A few hundred bytes that stand for 2 to the power of ``levels`` values."""
    lines = ["a0: &a0 {x: 1}"]
    return "\n".join(lines + [link.format(n=n, m=n - 1) for n in range(1, levels)])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (doubled(24, "a{n}: &a{n}\n  <<: [*a{m}, *a{m}]"), "it has more than 20000 values, those that aliases repeat"),
        (doubled(24, "a{n}: &a{n} [*a{m}, *a{m}]"), "it has more than 20000 values, those that aliases repeat"),
        (doubled(24, "? &a{n} [*a{m}, *a{m}]\n: 1"), "it has more than 20000 values, those that aliases repeat"),
        (f"zones: {{a: &p {[[0.5, 0.5]] * 3000}}}\nrules: {['*p'] * 3000}".replace("'", ""), "more than 20000 values"),
        ("rules: [" + "1," * 400_000 + "]", "it has more than 20000 values"),
        ("clock: " + "1:" * 200_000 + "1", "a value is longer than 1000 characters"),
        ("clock: !!int " + "1:" * 200_000 + "1", "a value is longer than 1000 characters"),
        ("clock: 0x" + "f" * 400_000, "a value is longer than 1000 characters"),
        ("[" * 900_000, "it is nested deeper than 20 levels"),
        ("a: " * 20 + "1", "mapping values are not allowed here"),
        ("- " * 400_000, "it is nested deeper than 20 levels"),
        ("a" * 900_000 + ": 1", "longer than 1000 characters"),
        ("zones: {a: [[" + "9" * 300 + ", 0], [1, 0], [1, 1]]}\nrules: []", "field 'rules'"),
    ],
)
def test_a_bomb_is_refused_at_once_in_one_line(tmp_path, text, message):
    with pytest.raises(RulesError) as error:
        reading(tmp_path, text)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 400


def test_aliases_and_merge_keys_of_people_are_read(tmp_path):
    text = (
        HEAD + "rules:\n- &r {name: a, kind: loitering, zone: yard, seconds: 10}\n- {<<: *r, name: b, seconds: 1e1}\n"
    )
    rules = reading(tmp_path, text).rules
    assert [(rule.name, rule.seconds) for rule in rules] == [("a", 10), ("b", 10)]


@pytest.mark.parametrize(
    ("text", "value"),
    [("22:30", "22:30"), ("1:1.5", "1:1.5"), ("017", "017"), ("0o17", "0o17"), ("0x1f", "0x1f"), ("1_000", "1_000"),
     ("0", 0), ("-12", -12), ("+3", 3), ("1.5", 1.5), ("-.5", -0.5), ("2.", 2.0), ("1e3", 1000.0), ("1.5e-3", 0.0015),
     ("9" * 18, 999_999_999_999_999_999), ("9" * 19, "9" * 19), (".inf", float("inf")), ("true", True), ("~", None)],
)  # fmt: skip
def test_numbers_are_decimal(text, value):
    from kinoscope.rules.safe_yaml import parse_yaml

    assert parse_yaml(f"[{text}]") == [value]
    assert type(parse_yaml(f"[{text}]")[0]) is type(value)
