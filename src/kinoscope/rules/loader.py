"""Loading of rule files, with one-line error messages."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import ValidationError

from kinoscope.core.errors import RulesError
from kinoscope.core.media import Size
from kinoscope.core.validation import MAX_LISTED_NAMES, suggest
from kinoscope.rules.rule_file import AnyRule, LeftObjectRule, LineRule, RuleFile
from kinoscope.rules.safe_yaml import MAX_BYTES, parse_yaml

MAX_QUOTED_CHARACTERS = 80
"""Characters of a value that a message quotes."""

RULE_KINDS = "zone, line, loitering, crowd, left-object, wrong-way"


def read_rules(path: str | Path, labels: Collection[str] = ()) -> RuleFile:
    """Load a rule file.

    Args:
        path: of a YAML (or JSON) file.
        labels: of the detectors; a rule that names another is an error. Not checked where empty.

    Raises:
        RulesError: it cannot be read, or is invalid; one line with the file, the rule and the field.
    """
    plain = _load(Path(path))
    try:
        rules = RuleFile.model_validate(plain)
        _check_zones(rules)
        _check_labels(rules, labels)
    except ValidationError as error:
        raise RulesError(f"{path}: {_explain(error, plain)}") from None
    except RulesError as error:
        raise RulesError(f"{path}: {error}") from None
    return rules


def check_size(rules: RuleFile, size: Size) -> None:
    """Check that zones and lines lie in a frame of ``size`` (width, height) pixels.

    Raises:
        RulesError: one does not.
    """
    if rules.units == "pixels":
        for name, points in rules.points().items():
            _check_inside(name, points, size, f"the frame is {size[0]}x{size[1]} pixels")


def rules_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a rule file: the content of ``rules.schema.json``."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Rules of kinoscope"}
    return head | {key: value for key, value in RuleFile.model_json_schema().items() if key != "title"}


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise RulesError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB; that is no rule file")
        plain = parse_yaml(data.decode("utf-8"))
    except OSError as error:
        raise RulesError(f"cannot read {path}: {(error.strerror or str(error)).lower()}; check the path") from None
    except UnicodeDecodeError:
        raise RulesError(f"{path} is not text (UTF-8); give a YAML rule file") from None
    except yaml.YAMLError as error:
        raise RulesError(f"{path} is not YAML: {_describe_yaml_error(error)}") from None
    except (RecursionError, ValueError, TypeError, AttributeError, KeyError) as error:  # yaml raises them, too
        raise RulesError(f"{path} is not YAML that can be read: {str(error).splitlines()[0]}") from None
    if not isinstance(plain, dict):
        raise RulesError(f"{path} contains no rules; give a list of them under `rules:`")
    return plain


def _describe_yaml_error(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return f"{problem or str(error).splitlines()[0]}{where}"


def _explain(error: ValidationError, plain: Mapping[str, Any]) -> str:
    """Return the first validation error in one line: where it is, what is wrong, and how many more there are."""
    faults = error.errors(include_url=False)
    # A name that is misspelt also leaves one missing; the misspelling is what helps.
    first = min(faults, key=lambda fault: fault["type"] != "extra_forbidden")
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{_describe_location(first['loc'], plain)} {_describe_fault(first)}{more}".lstrip()


def _describe_location(loc: tuple[int | str, ...], plain: Mapping[str, Any]) -> str:
    """Return the name of the rule and the path of the field."""
    if not loc:
        return ""
    if loc[0] == "rules" and len(loc) > 1:
        return f"{_rule_name(plain, loc[1])}{_field(loc[3:])}"
    if loc[0] in ("zones", "lines") and len(loc) > 1:
        return f"{str(loc[0])[:-1]} {loc[1]!r}{_field(loc[2:])}"
    return _field(loc).removeprefix(", ")


def _rule_name(plain: Mapping[str, Any], number: int | str) -> str:
    rules = plain.get("rules")
    rule = rules[number] if isinstance(rules, list) and isinstance(number, int) else None
    name = rule.get("name") if isinstance(rule, Mapping) else None
    return f"rule {name!r}" if isinstance(name, str) else f"rule {int(number) + 1}"


def _field(loc: tuple[int | str, ...]) -> str:
    """Return the path of a field, without pydantic's own names for the branches of a type."""
    words = [str(part) if isinstance(part, str) else f"[{part + 1}]" for part in loc]
    shown = [word for word in words if not _is_branch(word)]
    return f", field {''.join(shown)!r}" if shown and not shown[0].startswith("[") else ""


def _is_branch(word: str) -> bool:
    """Return whether a part of a path is pydantic's own name for a branch, such as ``literal['any']``."""
    return "[" in word[1:] or word.startswith("function-") or word in ("str", "constrained-str")


def _describe_fault(fault: Any) -> str:
    fault_type, context, value = fault["type"], fault.get("ctx", {}), fault["input"]
    if fault_type == "extra_forbidden":
        return _unknown(fault["loc"])
    if fault_type == "missing":
        return "is missing"
    if fault_type.startswith("union_tag"):
        rule_kind = value.get("kind") if isinstance(value, Mapping) else None
        return f"must have a kind, one of {RULE_KINDS}" + (f", not {rule_kind!r}" if rule_kind is not None else "")
    if fault_type == "rules":
        return str(context["message"])
    message = str(fault["msg"]).replace("Input should be", "must be", 1)
    message = message[0].lower() + message[1:]
    return message + (f", not {_short(value)}" if isinstance(value, (str, int, float)) else "")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_QUOTED_CHARACTERS else f"{text[:MAX_QUOTED_CHARACTERS]}..."


def _unknown(loc: tuple[int | str, ...]) -> str:
    """Return a message that lists the known fields."""
    rule_kind = loc[2] if len(loc) > 3 else None
    model = next(
        (model for model in get_args(AnyRule) if model.model_fields["kind"].annotation == Literal[rule_kind]), RuleFile
    )
    fields = list(model.model_fields)
    return f"is not known here; {suggest(str(loc[-1]), fields)}known: {', '.join(fields)}"


def _check_zones(rules: RuleFile) -> None:
    """Check that the zones and lines of rules exist, and that fractions are from 0 to 1."""
    for rule in rules.rules:
        if isinstance(rule, LineRule):
            _require(rule, "line", rule.line, rules.lines)
        elif rule.zone is not None:
            _require(rule, "zone", rule.zone, rules.zones)
    if rules.units == "fractions":
        for name, points in rules.points().items():
            _check_inside(name, points, (1, 1), "fractions are from 0 to 1; for pixels write `units: pixels`")


def _require(rule: AnyRule, field: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        suggestion = f"known: {', '.join(known)}" if known else f"the file has no {field}s; add them under `{field}s:`"
        raise RulesError(f"rule {rule.name!r}, field {field!r} names {name!r}; {suggest(name, known)}{suggestion}")


def _check_inside(name: str, points: list[tuple[float, float]], size: tuple[float, float], hint_: str) -> None:
    for x, y in points:
        if not (0 <= x <= size[0] and 0 <= y <= size[1]):
            raise RulesError(f"{name} has the point [{x:g}, {y:g}] outside the frame; {hint_}")


def _check_labels(rules: RuleFile, labels: Collection[str]) -> None:
    if not labels:
        return
    for rule, field, label in _named_labels(rules):
        if label not in labels:
            names = sorted(labels)
            more = f" and {len(names) - MAX_LISTED_NAMES} more" if len(names) > MAX_LISTED_NAMES else ""
            raise RulesError(
                f"rule {rule.name!r}, field {field!r} names the label {label!r}, which no detector here reports; "
                f"{suggest(label, names)}known: {', '.join(names[:MAX_LISTED_NAMES])}{more}"
            )


def _named_labels(rules: RuleFile) -> Iterator[tuple[AnyRule, str, str]]:
    for rule in rules.rules:
        # The default labels are optional: a detector need not know them.
        fields = [field for field in ("labels", "people") if field in rule.model_fields_set or field == "people"]
        for field in fields if isinstance(rule, LeftObjectRule) else ["labels"]:
            yield from ((rule, field, label) for label in getattr(rule, field) or ())
