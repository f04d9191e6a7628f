"""What users may install, and what the tests run with, say the same."""

import re
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped]
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
NEEDED = [Requirement(line) for line in PROJECT["dependencies"]]
EXTRAS = [Requirement(line) for lines in PROJECT["optional-dependencies"].values() for line in lines]


def pinned(file: str) -> dict[str, Version]:
    found: dict[str, Version] = {}
    for line in (ROOT / file).read_text("utf-8").splitlines():
        (pin,) = (requirement := Requirement(line)).specifier
        assert pin.operator == "=="
        found[canonicalize_name(requirement.name)] = Version(pin.version)
    return found


@pytest.mark.parametrize("requirement", NEEDED + EXTRAS, ids=str)
def test_the_pinned_release_of_everything_is_one_that_users_may_have(requirement: Requirement) -> None:
    assert requirement.specifier.contains(pinned("constraints.txt")[canonicalize_name(requirement.name)])


# torch is held at the release that has a small CPU build; the environment installs no extras
@pytest.mark.parametrize("requirement", [one for one in NEEDED if one.name != "torch"], ids=str)
def test_the_oldest_release_of_everything_is_the_lowest_that_users_may_have(requirement: Requirement) -> None:
    (lowest,) = (bound for bound in requirement.specifier if bound.operator == ">=")
    assert pinned("constraints-oldest.txt")[canonicalize_name(requirement.name)] == Version(lowest.version)


def test_hooks_run_the_releases_that_the_tests_run_with() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    used = {line for hook in hooks for line in hook.get("additional_dependencies", ())}
    assert used
    assert used <= set((ROOT / "constraints.txt").read_text("utf-8").splitlines())


def test_the_fast_environment_names_tests_that_exist() -> None:
    tox = ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", "utf-8")
    named = tox["fast"]["tests"].split()
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_what_is_cited_is_what_is_released() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    assert citation["repository-code"] == PROJECT["urls"]["Source"]


def test_every_python_that_is_claimed_is_in_the_workflow() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8"))
    matrix = workflow["jobs"]["linux"]["strategy"]["matrix"]["include"]
    found = (
        re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", line) for line in PROJECT["classifiers"]
    )
    claimed = {match[1] for match in found if match}
    assert claimed
    assert claimed <= {row["python"] for row in matrix}
