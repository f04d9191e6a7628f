"""Each of several encoders as a subtest, which pytest has since 9.0."""

from collections.abc import Callable

import pytest

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="pytest has no subtests before 9.0")

TESTS = """
def test_encoders(sslauth, subtests):
    for name in ("models/tiny", "models/absent", "models/tiny"):
        with subtests.test(encoder=name):
            sslauth.assert_authentic(name, card="cards/tiny")

def test_after():
    pass
"""


def test_each_verdict_is_one(project: pytest.Pytester, alter_encoder: Callable[[], str]) -> None:
    alter_encoder()
    project.makepyfile(test_app=TESTS)
    result = project.runpytest("-rA")
    text = result.stdout.str()
    assert text.count("SUBFAILED(encoder='models/tiny') test_app.py::test_encoders") == 2
    assert text.count("SUBFAILED(encoder='models/absent') test_app.py::test_encoders") == 1
    result.stdout.fnmatch_lines(
        [
            "*= sslauth =*",
            "ALTERED       models/tiny*",
            "inconclusive  models/absent*",
            "FAILED test_app.py::test_encoders*",
        ]
    )
    assert "PASSED test_app.py::test_after" in text


def test_one_failure_spoils_the_test_and_not_the_others(project: pytest.Pytester) -> None:
    project.makepyfile(test_app=TESTS)
    result = project.runpytest("-rA", "-v")
    text = result.stdout.str()
    assert text.count("SUBPASSED(encoder='models/tiny')") == 2
    assert text.count("SUBFAILED(encoder='models/absent') test_app.py::test_encoders") == 1
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*authentic     models/tiny*"])
