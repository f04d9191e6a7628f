"""Every way in which a test gets its marker: in time, and it is checked first, or too late, and it fails."""

from collections.abc import Callable

import pytest

pytest_plugins = ["pytester"]

CONFTEST = """
import pytest

MARK = pytest.mark.sslauth("models/tiny")
ITEMS = []

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    ITEMS.append(item)

def pytest_collection_modifyitems(items):
    for item in items:
        if "modified" in item.name:
            item.add_marker(MARK)

def pytest_generate_tests(metafunc):
    if "generated" in metafunc.fixturenames:
        metafunc.parametrize("generated", [pytest.param(1, marks=MARK)])

class Hooks:
    @pytest.hookimpl(trylast=True)
    def pytest_runtest_setup(self, item):
        if "after_set_up" in item.name:
            item.add_marker(MARK)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item):
        if "before_call" in item.name:
            item.add_marker(MARK)
        result = yield
        if "after_call" in item.name:
            item.add_marker(MARK)
        return result

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem):
        if "in_the_call" in pyfuncitem.name:
            pyfuncitem.add_marker(MARK)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_teardown(self, item):
        if "before_tear_down" in item.name:
            item.add_marker(MARK)

def pytest_configure(config):
    config.pluginmanager.register(Hooks())
"""

HEAD = """
import threading, unittest
import pytest
from conftest import ITEMS, MARK

def note(item):
    with open("ran", "a") as file:
        file.write(item.nodeid.split("::")[0] + chr(10))

@pytest.fixture(autouse=True)
def item(request):
    return request.node
"""

RUN = "def test_it(item): note(item)"
PARAMETER = "@pytest.mark.parametrize('n', [pytest.param(1, marks=MARK)])\n"
FIXTURE = "@pytest.fixture\ndef marks(request): request.applymarker(MARK)\n"
CLASS = "class TestIt:\n"
SCOPES = {
    "function": "applymarker",
    "class": "applymarker",
    "module": "applymarker",
    "session": "node.add_marker",
}

IN_TIME = {
    "decorator": f"@MARK\n{RUN}",
    "parameter": f"{PARAMETER}def test_it(n, item): note(item)",
    "class": "@MARK\nclass TestIt:\n    def test_it(self, item): note(item)",
    "class_attribute": "class TestIt:\n    pytestmark = MARK\n    def test_it(self, item): note(item)",
    "base_class": "@MARK\nclass Base: pass\nclass TestIt(Base):\n    def test_it(self, item): note(item)",
    "outer_class": "@MARK\nclass TestOuter:\n    class TestIt:\n        def test_it(self, item): note(item)",
    "module": f"pytestmark = [MARK]\n{RUN}",
    "unittest": "@MARK\nclass TestIt(unittest.TestCase):\n    def test_it(self): note(ITEMS[-1])",
    "unittest_method": "class TestIt(unittest.TestCase):\n    @MARK\n    def test_it(self): note(ITEMS[-1])",
    "modifyitems": "def test_modified(item): note(item)",
    "generate_tests": "def test_it(item, generated): note(item)",
    "hook_after_set_up": "def test_after_set_up(item): note(item)",
    "hook_before_call": "def test_before_call(item): note(item)",
    **{
        f"fixture_of_a_{scope}": f"@pytest.fixture(scope='{scope}')\n"
        f"def marks(request): request.{how}(MARK)\n{CLASS}    def test_it(self, item, marks): note(item)"
        for scope, how in SCOPES.items()
    },
    "autouse_fixture": f"@pytest.fixture(autouse=True)\ndef marks(request): request.applymarker(MARK)\n{RUN}",
    "setup_method": "class TestIt:\n    def setup_method(self): ITEMS[-1].add_marker(MARK)\n"
    "    def test_it(self, item): note(item)",
    "setup_class": f"{CLASS}    @classmethod\n    def setup_class(cls): ITEMS[-1].parent.add_marker(MARK)\n"
    "    def test_it(self, item): note(item)",
    "setup_module": f"def setup_module(): ITEMS[-1].parent.add_marker(MARK)\n{RUN}",
    "setup_function": f"def setup_function(): ITEMS[-1].add_marker(MARK)\n{RUN}",
    "setUpClass": "class TestIt(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls): "
    "ITEMS[-1].add_marker(MARK)\n    def test_it(self): note(ITEMS[-1])",
}

TOO_LATE = {
    "body": "def test_it(item): item.add_marker(MARK)",
    "body_applymarker": "def test_it(request): request.applymarker(MARK)",
    "body_on_the_class": "class TestIt:\n    def test_it(self, item): item.parent.add_marker(MARK)",
    "body_of_a_thread": "def test_it(item):\n"
    "    thread = threading.Thread(target=item.add_marker, args=(MARK,))\n"
    "    thread.start()\n    thread.join()",
    "body_that_skips": "def test_it(item):\n    item.add_marker(MARK)\n    pytest.skip('no')",
    "body_expected_to_fail": "@pytest.mark.xfail\n"
    "def test_it(item):\n    item.add_marker(MARK)\n    assert False",
    "late_fixture": f"{FIXTURE}def test_it(request): request.getfixturevalue('marks')",
    "setUp": "class TestIt(unittest.TestCase):\n    def setUp(self): ITEMS[-1].add_marker(MARK)\n"
    "    def test_it(self): pass",
    "tearDown": "class TestIt(unittest.TestCase):\n    def tearDown(self): ITEMS[-1].add_marker(MARK)\n"
    "    def test_it(self): pass",
    "pyfunc_call": "def test_in_the_call(): pass",
}

AFTER_THE_TEST = {
    "finalizer": "@pytest.fixture\n"
    "def marks(request): request.addfinalizer(lambda: request.applymarker(MARK))\ndef test_it(marks): pass",
    "yield": "@pytest.fixture\ndef marks(request):\n    yield\n    request.applymarker(MARK)\n"
    "def test_it(marks): pass",
    "teardown_method": "class TestIt:\n    def teardown_method(self): ITEMS[-1].add_marker(MARK)\n"
    "    def test_it(self): pass",
    "hook_after_call": "def test_after_call(): pass",
    "hook_before_tear_down": "def test_before_tear_down(): pass",
}


def write(project: pytest.Pytester, tests: dict[str, str]) -> None:
    project.makeconftest(CONFTEST)
    for name, code in tests.items():
        project.makepyfile(**{f"test_{name}": f"{HEAD}\n{code}\n"})


def ran(project: pytest.Pytester) -> set[str]:
    file = project.path / "ran"
    return set(file.read_text().splitlines()) if file.exists() else set()


def test_a_marker_that_comes_in_time_is_checked_before_the_test(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    write(project, IN_TIME)
    files = sorted(map(str, project.path.glob("test_*.py")))
    # what marks the whole session would mark every test after it as well
    files.sort(key=lambda file: file.endswith("test_fixture_of_a_session.py"))
    project.runpytest(*files).assert_outcomes(passed=len(files))
    assert len(ran(project)) == len(files)
    (project.path / "ran").unlink()
    alter_encoder()
    project.runpytest(*files).assert_outcomes(failed=len(files))
    assert ran(project) == set()


@pytest.mark.parametrize(
    ("tests", "outcomes"),
    [
        (TOO_LATE, {"failed": len(TOO_LATE)}),
        # pytest has no other word for what fails when the test is over
        (AFTER_THE_TEST, {"passed": len(AFTER_THE_TEST), "errors": len(AFTER_THE_TEST)}),
    ],
    ids=["in the test", "after it"],
)
def test_a_marker_that_comes_too_late_is_no_pass(
    project: pytest.Pytester, tests: dict[str, str], outcomes: dict[str, int]
) -> None:
    write(project, tests)
    result = project.runpytest()
    result.assert_outcomes(**outcomes)
    said = "marker sslauth added too late: 'models/tiny' was not checked *"
    result.stdout.fnmatch_lines_random([f"*_{name}.py::*: {said}" for name in tests])


def test_a_marker_that_a_fixture_adds_by_its_name_alone_says_nothing(project: pytest.Pytester) -> None:
    write(project, {"bare": f"{FIXTURE.replace('MARK', repr('sslauth'))}def test_it(marks): pass"})
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*missing 1 required positional argument: 'encoder'*"])


def test_a_marker_that_was_checked_may_be_added_again(project: pytest.Pytester) -> None:
    write(project, {"again": "@MARK\ndef test_it(item): item.add_marker(MARK)"})
    project.runpytest().assert_outcomes(passed=1)


def test_the_encoder_of_a_marker_that_a_fixture_added_is_handed_over(project: pytest.Pytester) -> None:
    body = "def test_it(marks, authentic_encoder): assert authentic_encoder.verdict.authentic"
    write(project, {"handed": FIXTURE + body})
    project.runpytest().assert_outcomes(passed=1)


@pytest.mark.parametrize("place", ["conftest.py", "below/conftest.py", "below/__init__.py", "__init__.py"])
def test_a_mark_where_pytest_never_looks_is_refused(plugged: pytest.Pytester, place: str) -> None:
    below = plugged.mkpydir("below")
    (below / "__init__.py").touch()
    (below / "deep").mkdir()
    (below / "deep" / "__init__.py").touch()
    (below / "deep" / "test_it.py").write_text("def test_it(): pass\n")
    (plugged.path / place).write_text("import pytest\npytestmark = pytest.mark.sslauth('models/tiny')\n")
    result = plugged.runpytest_subprocess()
    assert result.ret not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    said = f"{plugged.path / place}: pytestmark with sslauth marks no test"
    assert said in result.stdout.str() + result.stderr.str()


CASE = "class TestIt(unittest.TestCase):\n    def test_it(self): pass\n"
IDLE_MARKS = {
    "helper": "@MARK\ndef check(): pass",
    "helper_of_a_class": f"{CLASS}    @MARK\n    def check(self): pass",
    "setup_method": f"{CLASS}    @MARK\n    def setup_method(self): pass",
    "static": f"{CLASS}    @MARK\n    @staticmethod\n    def check(): pass",
    "property": f"{CLASS}    @property\n    @MARK\n    def check(self): pass",
    "setup_module": "@MARK\ndef setup_module(): pass",
    "switched_off": "@MARK\ndef test_b(): pass\ntest_b.__test__ = False",
    "setUpClass": f"{CASE}    @classmethod\n    @MARK\n    def setUpClass(cls): pass",
    "marked_classmethod": f"{CASE}    @MARK\n    @classmethod\n    def setUpClass(cls): pass",
    "setUp": f"{CASE}    @MARK\n    def setUp(self): pass",
    "base": f"class Base(unittest.TestCase):\n    @MARK\n    def setUp(self): pass\n"
    f"{CASE.replace('unittest.TestCase', 'Base')}",
    "other_class": "@MARK\nclass Helper: pass",
    "method_of_another_class": "class Helper:\n    @MARK\n    def check(self): pass",
    "fixture": "@MARK\n@pytest.fixture\ndef value(): pass",
    "marked_fixture": "@pytest.fixture\n@MARK\ndef value(): pass",
}


@pytest.mark.parametrize("kind", IDLE_MARKS)
def test_a_mark_on_what_is_no_test_is_refused(plugged: pytest.Pytester, kind: str) -> None:
    head = "import unittest\nimport pytest\nMARK = pytest.mark.sslauth('models/tiny')\n"
    plugged.makepyfile(f"{head}{IDLE_MARKS[kind]}\ndef test_a(): pass\n")
    result = plugged.runpytest()
    assert result.ret not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    said = result.stdout.str()
    # newer versions of pytest refuse any marker on a fixture themselves
    assert "marker sslauth on something that is not a test" in said or (
        "fixture" in kind and "fixture" in said
    )


def test_a_marked_helper_in_a_conftest_is_refused(plugged: pytest.Pytester) -> None:
    plugged.makeconftest("import pytest\n@pytest.mark.sslauth('models/tiny')\ndef check(): pass\n")
    plugged.makepyfile("def test_a(): pass")
    result = plugged.runpytest_subprocess()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "conftest.py::check: marker sslauth on something that is not a test" in result.stderr.str()


def test_marks_on_tests_that_are_not_chosen_are_none_of_that(project: pytest.Pytester) -> None:
    project.makepyfile("""
import unittest, pytest
from unittest import mock
from pytest import mark
MARK = pytest.mark.sslauth("models/absent")
PATCHED = mock.Mock()
class Mixin:
    @MARK
    def test_mixed(self): pass
@MARK
class Base:
    def test_based(self): pass
class TestIt(Mixin, Base):
    constant = MARK
    @MARK
    @staticmethod
    def test_static(): pass
class TestCase(Mixin, unittest.TestCase):
    @MARK
    def test_method(self): pass
@MARK
@pytest.mark.parametrize("n", [])
def test_of_nothing(n): pass
@MARK
@mock.patch("os.getcwd")
def test_patched(cwd): pass
def test_a(): pass
""")
    project.runpytest("-k", "test_a", "--strict-markers").assert_outcomes(passed=1, deselected=7)
