"""The files that maintainers and services read: workflows, hooks, templates, the image, the citation."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import kinoscope
from kinoscope.core import privacy
from tests.helpers.dockerfile import read_instructions

ROOT = Path(__file__).parents[1]
MAKEFILE = (ROOT / "Makefile").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
CONSTRAINTS = (ROOT / "constraints.txt").read_text().splitlines()
WRITING = {"publish": {"pages": "write", "id-token": "write"}, "release": {"contents": "write"}}
SECRET = re.compile(r"(?i)passw|secrets\.|PRIVATE KEY|\bgh[ps]_\w{9}|\bhf_\w{9}|\bpypi-\w{9}")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def steps_of(path: Path) -> list[dict[str, Any]]:
    return [step for job in load(path)["jobs"].values() for step in job["steps"]]


def targets_in(text: str) -> set[str]:
    return set(re.findall(r"\bmake ([a-z][\w-]*)", text))


def is_target(name: str) -> bool:
    return re.search(rf"^{re.escape(name)}:", MAKEFILE, flags=re.M) is not None


def test_there_is_a_workflow_for_each_purpose():
    assert [path.name for path in WORKFLOWS] == ["docs.yml", "release.yml", "test.yml"]
    assert set.union(*(targets_in(path.read_text()) for path in WORKFLOWS)) == {"lint", "test", "docs", "dist"}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_call_targets_of_the_makefile(path):
    commands = [step["run"] for step in steps_of(path) if "run" in step]
    assert commands
    assert [name for command in commands for name in targets_in(command) if not is_target(name)] == []


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_pin_their_actions_and_say_which_version_that_is(path):
    uses = re.findall(r"uses: (\S+)(.*)", path.read_text())
    assert len(uses) == sum("uses" in step for step in steps_of(path))
    for action, comment in uses:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action), action
        assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), action


def test_an_action_has_one_version_in_all_workflows():
    pins = {line for path in WORKFLOWS for line in re.findall(r"uses: (.*)", path.read_text())}
    assert len({pin.split("@")[0] for pin in pins}) == len(pins)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_have_the_least_permissions(path):
    workflow = load(path)
    assert workflow["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in path.read_text()
    for name, job in workflow["jobs"].items():
        assert job["timeout-minutes"] <= 90
        assert set(job.get("permissions", {}).items()) <= set(WRITING.get(name, {}).items())
    for step in steps_of(path):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_the_matrix_has_the_versions_that_are_supported():
    jobs = load(ROOT / ".github" / "workflows" / "test.yml")["jobs"]
    versions = jobs["test"]["strategy"]["matrix"]["python"]
    assert PROJECT["requires-python"] == f">={versions[0]}"
    assert {f"Programming Language :: Python :: {version}" for version in versions} <= set(PROJECT["classifiers"])


def test_the_makefile_names_its_targets():
    (names,) = re.findall(r"^\.PHONY: (.*)", MAKEFILE, flags=re.M)
    assert [name for name in names.split() if not is_target(name)] == []


def test_dependabot_updates_what_there_is():
    updates = load(ROOT / ".github" / "dependabot.yml")["updates"]
    assert {update["package-ecosystem"] for update in updates} == {"pip", "github-actions", "docker"}
    assert {update["directory"] for update in updates} == {"/"}


@pytest.mark.parametrize("name", ["bug", "feature"])
def test_issue_forms_are_forms(name):
    form = load(ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml")
    assert set(form) == {"name", "description", "labels", "body"}
    for field in form["body"]:
        assert field["type"] in {"input", "textarea", "dropdown", "checkboxes", "markdown"}
        assert field["attributes"]["label"]
    ids = [field["id"] for field in form["body"]]
    assert len(set(ids)) == len(ids)


def test_a_bug_report_asks_for_what_is_needed():
    text = (ROOT / ".github" / "ISSUE_TEMPLATE" / "bug.yml").read_text()
    assert "kinoscope --version" in text
    assert "--debug" in text


def test_the_hooks_call_what_lint_calls():
    (repository,) = load(ROOT / ".pre-commit-config.yaml")["repos"]
    hooks = {hook["id"]: hook for hook in repository["hooks"]}
    assert repository["repo"] == "local", "the versions of the tools are those of constraints.txt"
    recipe = MAKEFILE.split("\nlint:")[1].split("\n\n")[0]
    for name in ("ruff", "ruff-format", "mypy", "words"):
        command = hooks[name]["entry"].removesuffix(" --force-exclude")
        assert command in recipe
    assert hooks["large-files"]["entry"] == "check-added-large-files --maxkb=600"
    limit, weights = 600 * 1024, ROOT / "src/kinoscope/models/weights"
    assert [path for path in (ROOT / "docs").rglob("*") if path.is_file() and path.stat().st_size > limit] == []
    assert re.match(hooks["large-files"]["exclude"], f"{weights.relative_to(ROOT)}/fight/model.safetensors")


def test_the_citation_is_that_of_the_package():
    citation = load(ROOT / "CITATION.cff")
    allowed = {
        *("abstract", "authors", "cff-version", "commit", "contact", "date-released", "doi", "identifiers"),
        *("keywords", "license", "license-url", "message", "preferred-citation", "references", "repository"),
        *("repository-artifact", "repository-code", "title", "type", "url", "version"),
    }
    assert {"authors", "cff-version", "message", "title"} <= set(citation) <= allowed
    assert citation["cff-version"] == "1.2.0"
    assert citation["type"] in {"software", "dataset"}
    assert citation["version"] == kinoscope.__version__
    assert citation["license"] == PROJECT["license"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in PROJECT["authors"]]
    assert citation["repository-code"] == PROJECT["urls"]["Source"]
    assert citation["url"] == PROJECT["urls"]["Documentation"]


def test_the_security_policy_names_files_that_exist():
    text = (ROOT / "SECURITY.md").read_text()
    paths = re.findall(r"`((?:[a-z]+/)+[a-z_]+(?:\.py)?)`", text)
    assert len(paths) >= 10
    assert [path for path in paths if not (ROOT / "src" / "kinoscope" / path).exists()] == []
    assert privacy.TELEMETRY_PACKAGES


def test_the_image_is_built_from_files_that_exist():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    for words in read_instructions(ROOT / "Dockerfile", "COPY"):
        if not words[0].startswith("--from="):
            for name in words[:-1]:
                assert (ROOT / name).exists(), name
                assert f"!{name}" in ignored, f"{name} is not sent to the build"


def test_the_image_installs_as_the_makefile_does():
    commands = [shlex.split(" ".join(words)) for words in read_instructions(ROOT / "Dockerfile", "RUN")]
    torch, package = [words for words in commands if words[:4] == ["python", "-m", "pip", "install"]]
    assert torch[-1] in CONSTRAINTS
    assert torch[-1] in MAKEFILE
    assert "constraints.txt" in package
    extras = re.fullmatch(r"\.\[([\w,]+)\]", package[-1])
    assert extras
    assert f"-e '{package[-1]}'" in MAKEFILE
    assert set(extras[1].split(",")) <= set(PROJECT["optional-dependencies"])


def test_the_image_runs_as_a_user_and_holds_no_secret():
    (user,) = read_instructions(ROOT / "Dockerfile", "USER")
    assert user == ["kinoscope"]
    text = (ROOT / "Dockerfile").read_text()
    after = text.split("USER kinoscope")[1]
    assert "RUN " not in after
    assert 'ENTRYPOINT ["kinoscope"]' in after
    assert "VOLUME" in after
    paths = [ROOT / "Dockerfile", *(ROOT / ".github").rglob("*.yml")]
    found = {path.name: SECRET.findall(path.read_text()) for path in paths}
    # The form of a bug asks to remove passwords from addresses.
    assert {name: words for name, words in found.items() if words} == {"bug.yml": ["passw"]}


def test_what_the_documentation_needs_is_pinned():
    pinned = {line.split("==")[0].lower() for line in CONSTRAINTS}
    extras = PROJECT["optional-dependencies"]
    needed = [re.split(r"[\[>=]", text)[0].lower() for text in [*extras["docs"], *extras["dev"]]]
    assert [name for name in needed if name not in pinned] == []
