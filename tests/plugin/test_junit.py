"""JUnit files: our properties are in those of every family, and hostile strings leave them XML."""

import json
import xml.etree.ElementTree as ET  # our own output
from collections.abc import Callable

import pytest

from tests.plugin.test_report_files import TESTS as MARKED_CALLED_ABSENT

pytest_plugins = ["pytester"]

TESTS = (
    MARKED_CALLED_ABSENT
    + """

def test_plain():
    pass
"""
)
FAMILIES = ("xunit1", "xunit2", "legacy")
NAMES = {"sslauth_check", "sslauth_status", "sslauth_margin", "sslauth_card"}


def properties(project: pytest.Pytester) -> dict[str, dict[str, str]]:
    """Those of each test case, by its name; a case has each of ours once."""
    found = {}
    for case in ET.parse(project.path / "out.xml").iter("testcase"):  # noqa: S314
        pairs = [(one.get("name") or "", one.get("value") or "") for one in case.iter("property")]
        assert len(dict(pairs)) == len(pairs)
        found[case.get("name") or ""] = dict(pairs)
        assert case.find("error") is None
    return found


def test_every_family_is_tried_here() -> None:
    from _pytest.junitxml import families

    assert set(FAMILIES) <= {*families, "legacy"}
    assert {*families} - {"_base", "_base_legacy"} <= {*FAMILIES}


@pytest.mark.parametrize("family", FAMILIES)
def test_status_margin_and_card_of_each_test_are_in_the_file(
    project: pytest.Pytester, alter_encoder: Callable[[], str], family: str
) -> None:
    alter_encoder()
    project.makepyfile(test_app=TESTS)
    result = project.runpytest("--junitxml=out.xml", "-o", f"junit_family={family}")
    result.assert_outcomes(passed=1, failed=3)
    found = properties(project)
    assert {name: set(said) for name, said in found.items()} == {
        "test_marked": NAMES,
        "test_called": NAMES,
        "test_absent": {"sslauth_check", "sslauth_status"},
        "test_plain": set(),
    }
    for name in ("test_marked", "test_called"):
        said = found[name]
        assert said["sslauth_status"] == "altered"
        assert float(said["sslauth_margin"]) < 1
        assert said["sslauth_card"].startswith("sha256:")
        assert json.loads(said["sslauth_check"])["reason"].startswith("1 of 37 tensors changed")
    assert found["test_absent"]["sslauth_status"] == "inconclusive"


HOSTILE = [
    "]]>",
    "<failure>",
    "&lt;&#0;&bogus;",
    "\x1b[31m",
    "\x01\x0b",
    "\u202e\u2028",
    "\ufffe",
    "--><!--",
]


@pytest.mark.parametrize("family", FAMILIES)
def test_hostile_names_are_text_and_the_file_stays_xml(
    project: pytest.Pytester, alter_encoder: Callable[[], str], family: str
) -> None:
    alter_encoder()
    named = [f"models/a{text}" for text in HOSTILE]
    for name in named:
        (project.path / name).symlink_to(project.path / "models/tiny")
    tests = "".join(
        f"""
def test_altered_{place}(sslauth):
    sslauth.assert_authentic({name!r}, card="cards/tiny")

def test_absent_{place}(sslauth):
    sslauth.assert_authentic({f"models/absent{HOSTILE[place]}"!r}, card="cards/tiny")
"""
        for place, name in enumerate(named)
    )
    project.makepyfile(test_app=tests)
    result = project.runpytest(
        "--junitxml=out.xml", "-o", f"junit_family={family}", "-o", "junit_logging=all"
    )
    result.assert_outcomes(failed=2 * len(HOSTILE))
    found = properties(project)
    for place, name in enumerate(named):
        said = found[f"test_altered_{place}"]
        assert said["sslauth_status"] == "altered"
        assert json.loads(said["sslauth_check"])["encoder"] == name
        assert found[f"test_absent_{place}"]["sslauth_status"] == "inconclusive"
    cases = ET.parse(project.path / "out.xml").iter("testcase")  # noqa: S314
    assert [len(case.findall("failure")) for case in cases] == [1] * 2 * len(HOSTILE)


def test_a_waiver_s_reason_is_text(project: pytest.Pytester, alter_encoder: Callable[[], str]) -> None:
    from hf_integration import WatermarkCard, authenticate, load_encoder

    alter_encoder()
    encoder = load_encoder(str(project.path / "models/tiny"), device="cpu")
    state = authenticate(encoder, WatermarkCard.load(project.path / "cards/tiny")).state
    reason = "]]><failure/>&bogus; %0A::error::"
    (project.path / "sslauth.toml").write_text(
        'version = 1\n[encoders.here]\npath = "models/tiny"\ncard = "cards/tiny"\n[[encoders.here.waivers]]\n'
        f'state = "{state}"\nreason = "{reason}"\nuntil = 2999-01-31\n'
    )
    project.makepyfile(test_app='def test_app(sslauth):\n    sslauth.assert_authentic("here")\n')
    result = project.runpytest("--junitxml=out.xml", "-o", "junit_logging=all")
    if result.parseoutcomes() != {"passed": 1}:
        raise AssertionError(result.stdout.str())
    assert properties(project)["test_app"]["sslauth_waiver"] == f"waived until 2999-01-31: {reason}"
