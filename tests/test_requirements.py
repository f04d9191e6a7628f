"""What users may install, and what the tests run with, say the same."""

import tomllib
from pathlib import Path

import pytest
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
