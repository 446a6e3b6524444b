"""Read a file of rules, and say in one line what is wrong with it."""

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
    """Read a file of rules.

    Args:
        path: of a YAML (or JSON) file.
        labels: what can be seen; a rule that names another is an error. Not checked where empty.

    Raises:
        RulesError: it cannot be read, or is not as it must be; one line with the file, the rule and the field.
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
    """Check that zones and lines lie in a picture of ``size`` (width, height) pixels.

    Raises:
        RulesError: one does not.
    """
    if rules.units == "pixels":
        for name, points in rules.points().items():
            _check_inside(name, points, size, f"the picture is {size[0]}x{size[1]} pixels")


def rules_schema() -> dict[str, Any]:
    """Give the JSON Schema (draft 2020-12) of a file of rules: what ``rules.rules_schema.json`` holds."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Rules of kinoscope"}
    return head | {key: value for key, value in RuleFile.model_json_schema().items() if key != "title"}


def _load(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise RulesError(f"{path} is larger than {MAX_BYTES // 1_000_000} MB; that is no file of rules")
        plain = parse_yaml(data.decode("utf-8"))
    except OSError as error:
        raise RulesError(f"cannot read {path}: {(error.strerror or str(error)).lower()}; check the path") from None
    except UnicodeDecodeError:
        raise RulesError(f"{path} is not text (UTF-8); give a YAML file of rules") from None
    except yaml.YAMLError as error:
        raise RulesError(f"{path} is not YAML: {_place(error)}") from None
    except (RecursionError, ValueError, TypeError, AttributeError, KeyError) as error:  # yaml raises them, too
        raise RulesError(f"{path} is not YAML that can be read: {str(error).splitlines()[0]}") from None
    if not isinstance(plain, dict):
        raise RulesError(f"{path} holds no rules; give a list of them under `rules:`")
    return plain


def _place(error: yaml.YAMLError) -> str:
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
    return f"{problem or str(error).splitlines()[0]}{where}"


def _explain(error: ValidationError, plain: Mapping[str, Any]) -> str:
    """Give the first fault in one line: where it is, what is wrong, and how many more there are."""
    faults = error.errors(include_url=False)
    # A name that is misspelt also leaves one missing; the misspelling is what helps.
    first = min(faults, key=lambda fault: fault["type"] != "extra_forbidden")
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return f"{_where(first['loc'], plain)} {_what(first)}{more}".lstrip()


def _where(loc: tuple[int | str, ...], plain: Mapping[str, Any]) -> str:
    """Name the rule by its name, and the field by its path."""
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
    """Write the path of a field; what pydantic calls the branches of a type is no part of it."""
    words = [str(part) if isinstance(part, str) else f"[{part + 1}]" for part in loc]
    kept = [word for word in words if not _inner(word)]
    return f", field {''.join(kept)!r}" if kept and not kept[0].startswith("[") else ""


def _inner(word: str) -> bool:
    """Whether a part of a path is pydantic's own name for a branch, such as ``literal['any']``."""
    return "[" in word[1:] or word.startswith("function-") or word in ("str", "constrained-str")


def _what(fault: Any) -> str:
    kind, context, given = fault["type"], fault.get("ctx", {}), fault["input"]
    if kind == "extra_forbidden":
        return _unknown(fault["loc"])
    if kind == "missing":
        return "is missing"
    if kind.startswith("union_tag"):
        named = given.get("kind") if isinstance(given, Mapping) else None
        return f"must have a kind, one of {RULE_KINDS}" + (f", not {named!r}" if named is not None else "")
    if kind == "rules":
        return str(context["message"])
    message = str(fault["msg"]).replace("Input should be", "must be", 1)
    message = message[0].lower() + message[1:]
    return message + (f", not {_short(given)}" if isinstance(given, (str, int, float)) else "")


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= MAX_QUOTED_CHARACTERS else f"{text[:MAX_QUOTED_CHARACTERS]}..."


def _unknown(loc: tuple[int | str, ...]) -> str:
    """Say which fields there are beside one that there is not."""
    kind = loc[2] if len(loc) > 3 else None
    of = next((of for of in get_args(AnyRule) if of.model_fields["kind"].annotation == Literal[kind]), RuleFile)
    fields = list(of.model_fields)
    return f"is not known here; {suggest(str(loc[-1]), fields)}known: {', '.join(fields)}"


def _check_zones(rules: RuleFile) -> None:
    """Check that what rules name is there, and that fractions are ones."""
    for rule in rules.rules:
        if isinstance(rule, LineRule):
            _demand(rule, "line", rule.line, rules.lines)
        elif rule.zone is not None:
            _demand(rule, "zone", rule.zone, rules.zones)
    if rules.units == "fractions":
        for name, points in rules.points().items():
            _check_inside(name, points, (1, 1), "fractions are from 0 to 1; for pixels write `units: pixels`")


def _demand(rule: AnyRule, field: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        there = f"known: {', '.join(known)}" if known else f"the file has no {field}s; add them under `{field}s:`"
        raise RulesError(f"rule {rule.name!r}, field {field!r} names {name!r}; {suggest(name, known)}{there}")


def _check_inside(name: str, points: list[tuple[float, float]], size: tuple[float, float], why: str) -> None:
    for x, y in points:
        if not (0 <= x <= size[0] and 0 <= y <= size[1]):
            raise RulesError(f"{name} has the point [{x:g}, {y:g}] outside the picture; {why}")


def _check_labels(rules: RuleFile, labels: Collection[str]) -> None:
    if not labels:
        return
    for rule, field, label in _named(rules):
        if label not in labels:
            names = sorted(labels)
            more = f" and {len(names) - MAX_LISTED_NAMES} more" if len(names) > MAX_LISTED_NAMES else ""
            raise RulesError(
                f"rule {rule.name!r}, field {field!r} names the label {label!r}, which no detector here tells; "
                f"{suggest(label, names)}known: {', '.join(names[:MAX_LISTED_NAMES])}{more}"
            )


def _named(rules: RuleFile) -> Iterator[tuple[AnyRule, str, str]]:
    for rule in rules.rules:
        # The usual things that may be left are no more than an offer: a detector of others need not know them.
        fields = [field for field in ("labels", "people") if field in rule.model_fields_set or field == "people"]
        for field in fields if isinstance(rule, LeftObjectRule) else ["labels"]:
            yield from ((rule, field, label) for label in getattr(rule, field) or ())
