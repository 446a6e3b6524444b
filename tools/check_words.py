"""Check that names, docstrings and documents use the terms of the field, one word for one thing.

    python tools/check_words.py [PATH...]

Fails on a class name that is defined twice, a replaced term in a name, in the first line of a docstring or in a
document, a constant that is a bare superlative, and a function's docstring that does not begin with a verb in the
imperative. ``words.toml`` says what to write instead.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CODE = ("src", "benchmarks", "recipes", "examples")
DOCUMENTS = (
    *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "CODE_OF_CONDUCT.md", "benchmarks/README.md"),
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "docs").rglob("*.md"))),
)

with (ROOT / "tools" / "words.toml").open("rb") as _stream:
    _WORDS: dict[str, Any] = tomllib.load(_stream)

REPLACED: dict[str, str] = _WORDS["replaced"]
IN_NAMES = REPLACED | _WORDS["names"]
IN_SENTENCES = REPLACED | _WORDS["sentences"]
ALLOWED: list[str] = _WORDS["allowed"]
WEIGHT_KEYS = frozenset(_WORDS["weight_keys"])
SUPERLATIVES, VERBS = frozenset(_WORDS["superlatives"]), frozenset(_WORDS["verbs"])

QUESTIONS = {"How", "What", "When", "Where", "Which", "Who", "Why"}

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def main() -> int:
    """Check the files named on the command line, or all, and print what is wrong."""
    found = sorted(set(check([Path(word).resolve() for word in sys.argv[1:]])))
    print("\n".join(found[:200]))
    print(f"{len(found)} names or sentences to put right" if found else "the words hold")
    return bool(found)


def check(only: list[Path]) -> Iterator[str]:
    """Yield a line for each violation in the files of the project, or in those under the paths ``only``."""
    files = [path for folder in CODE for path in sorted((ROOT / folder).rglob("*.py"))]
    yield from twice([path for path in files if "src" in path.parts])
    for path in files:
        if wanted(path, only):
            yield from check_code(path)
    for name in DOCUMENTS:
        if wanted(ROOT / name, only):
            yield from check_document(ROOT / name)


def wanted(path: Path, only: list[Path]) -> bool:
    """Return whether a file is to be checked."""
    return not only or any(path.is_relative_to(one) for one in only)


def twice(files: list[Path]) -> Iterator[str]:
    """Yield the classes whose name another class has."""
    seen: dict[str, str] = {}
    for path in files:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                if node.name in seen:
                    yield f"{line(path, node.lineno)}class {node.name} is defined in {seen[node.name]} too"
                seen[node.name] = str(path.relative_to(ROOT))


def check_code(path: Path) -> Iterator[str]:
    """Yield the violations in a file of Python."""
    tree = ast.parse(path.read_text("utf-8"))
    yield from check_name(path, 1, path.stem)
    yield from check_docstring(path, tree)
    yield from check_summaries(path, tree)
    for statement in tree.body:
        yield from check_constant(path, statement)
    for node in ast.walk(tree):
        for name in bound(node):
            yield from check_name(path, getattr(node, "lineno", 1), name)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from check_docstring(path, node)


def bound(node: ast.AST) -> list[str]:
    """Return the names that a node defines: classes, functions, parameters, variables and attributes."""
    if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        return [node.name]
    if isinstance(node, ast.arg):
        return [node.arg]
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        return [node.id]
    if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
        return [node.attr]
    return []


def check_name(path: Path, number: int, name: str) -> Iterator[str]:
    """Yield the terms in a name that have a better one."""
    if name in WEIGHT_KEYS and path.parent.name == "nets":
        return
    for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", re.sub("|".join(ALLOWED), "", name)):
        better = IN_NAMES.get(word.lower())
        if better and name not in SUPERLATIVES:
            yield f"{line(path, number)}name {name}: write {better} instead of {word.lower()}"


def check_constant(path: Path, node: ast.stmt) -> Iterator[str]:
    """Yield the constants of a module that are bare superlatives."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    for target in targets:
        for part in ast.walk(target):
            if isinstance(part, ast.Name) and part.id in SUPERLATIVES:
                yield f"{line(path, node.lineno)}constant {part.id}: say of what, and in which unit"


def check_docstring(path: Path, node: Documented) -> Iterator[str]:
    """Yield what is wrong with the first line of a docstring."""
    text = ast.get_docstring(node)
    if not text:
        return
    number = node.body[0].lineno
    first = text.split("\n\n")[0].replace("\n", " ")
    yield from check_sentence(path, number, first)
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and not is_property(node):
        verb = re.match(r"\W*(\w*)", first)
        if verb and verb[1] not in VERBS:
            yield f"{line(path, number)}docstring of {node.name} begins with {verb[1]!r}, no verb in the imperative"


def check_summaries(path: Path, tree: ast.Module) -> Iterator[str]:
    """Yield the documentation of modules, classes, fields and constants that begins with a question word."""
    for node in ast.walk(tree):
        for statement in getattr(node, "body", ()) if isinstance(node, (ast.Module, ast.ClassDef)) else ():
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                first = str(statement.value.value).split(maxsplit=1)[0]
                if first in QUESTIONS:
                    yield f"{line(path, statement.lineno)}documentation begins with {first!r}; name the thing"


def is_property(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Return whether a function is read as an attribute: its docstring names a thing."""
    return any("property" in ast.unparse(one) for one in node.decorator_list)


def check_document(path: Path) -> Iterator[str]:
    """Yield the terms in a document that have a better one; code is left out."""
    fenced = False
    for number, text in enumerate(path.read_text("utf-8").splitlines(), 1):
        fenced ^= text.startswith("```")
        if not fenced:
            yield from check_sentence(path, number, text)


def check_sentence(path: Path, number: int, text: str) -> Iterator[str]:
    """Yield the terms in a sentence that have a better one; code in backticks and links are left out."""
    plain = re.sub(r"``[^`]*``|`[^`]*`|\]\([^)]*\)|https?://\S+", "", text)
    for word in re.findall(r"[A-Za-z]+", plain):
        better = IN_SENTENCES.get(word.lower())
        if better and word.lower() not in {"most", "least"}:
            yield f"{line(path, number)}write {better} instead of {word}"


def line(path: Path, number: int) -> str:
    """Return where something is: file and line, and a colon."""
    return f"{path.relative_to(ROOT)}:{number}: "


if __name__ == "__main__":
    raise SystemExit(main())
