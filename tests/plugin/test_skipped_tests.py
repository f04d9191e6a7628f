"""What is skipped before any of its code runs is not checked; what may still run is checked first."""

from collections.abc import Callable

import pytest

pytest_plugins = ["pytester"]

HEAD = """
import unittest
import pytest

MARK = pytest.mark.sslauth("models/absent")
"""

NEVER_RUN = """
@MARK
@pytest.mark.skip
def test_skip(): pass

@pytest.mark.skipif(True, reason="no")
@MARK
def test_skipif(): pass

@pytest.mark.parametrize("n", [pytest.param(1, marks=[MARK, pytest.mark.skip])])
def test_parameter(n): pass

@MARK
@pytest.mark.skip
class TestClass:
    def test_it(self): pass

@MARK
@unittest.skip("no")
def test_unittest_skip(): pass

@unittest.skipIf(True, "no")
@MARK
def test_unittest_skip_if(): pass

class TestPlain:
    @MARK
    @unittest.skipUnless(False, "no")
    def test_it(self): pass

class TestMethods(unittest.TestCase):
    @MARK
    @unittest.skip("no")
    def test_skip(self): pass

    @unittest.skipIf(True, "no")
    @MARK
    def test_skip_if(self): pass

    @MARK
    @unittest.skipUnless(False, "no")
    def test_skip_unless(self): pass

    @MARK
    @pytest.mark.skip
    def test_mark(self): pass

@MARK
@unittest.skipUnless(False, "no")
class TestSkipUnless(unittest.TestCase):
    def test_it(self): pass

@unittest.skip("no")
@MARK
class TestSkip(unittest.TestCase):
    def setUp(self): raise AssertionError("runs")
    def test_it(self): pass

class TestInherited(TestSkip):
    def test_more(self): pass

@MARK
class TestAsync(unittest.IsolatedAsyncioTestCase):
    @unittest.skip("no")
    async def test_it(self): pass
"""

MAY_RUN = """
@MARK
def test_body(): pytest.skip("no")

@MARK
def test_raises(): raise unittest.SkipTest("no")

@pytest.fixture
def skips(): pytest.skip("no")

@MARK
def test_fixture(skips): pass

@MARK
class TestSetUp(unittest.TestCase):
    def setUp(self): self.skipTest("no")
    def test_it(self): pass

@MARK
class TestSetUpClass(unittest.TestCase):
    @classmethod
    def setUpClass(cls): raise unittest.SkipTest("no")
    def test_it(self): pass

@MARK
class TestBody(unittest.TestCase):
    def test_it(self): self.skipTest("no")
"""

DOES_RUN = """
@MARK
@unittest.skipIf(False, "no")
def test_condition(): pass

@MARK
class TestCase(unittest.TestCase):
    @unittest.skipUnless(True, "no")
    def test_it(self): pass

@MARK
@unittest.skip("which no plain class obeys")
class TestPlain:
    def test_it(self): pass

def claims(function):
    function.__unittest_skip__ = True
    return function

@MARK
@claims
def test_claims(): pass
"""


def test_what_never_runs_is_skipped_unchecked(project: pytest.Pytester) -> None:
    project.makepyfile(HEAD + NEVER_RUN)
    result = project.runpytest()
    result.assert_outcomes(skipped=NEVER_RUN.count("def test_") + 1)  # one is inherited
    result.stdout.no_fnmatch_line("*NOT CHECKED*")


def test_what_is_skipped_by_code_of_the_test_is_checked_before(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    project.makepyfile((HEAD + MAY_RUN).replace("models/absent", "models/tiny"))
    project.runpytest().assert_outcomes(skipped=MAY_RUN.count("def test_"))
    alter_encoder()
    project.runpytest().assert_outcomes(failed=MAY_RUN.count("def test_"))


def test_what_only_looks_skipped_is_checked(project: pytest.Pytester) -> None:
    project.makepyfile(HEAD + DOES_RUN)
    project.runpytest().assert_outcomes(failed=DOES_RUN.count("def test_"))


def test_what_a_fixture_marks_and_skips_runs_nothing(project: pytest.Pytester) -> None:
    code = """
@pytest.fixture
def marks(request):
    request.applymarker(MARK)
    pytest.skip("no")

def test_it(marks): pass
"""
    project.makepyfile(HEAD + code)
    project.runpytest().assert_outcomes(skipped=1)
