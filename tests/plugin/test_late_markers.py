"""A marker counts whoever adds it, and whenever; a skipped test is skipped; nothing excuses a finding."""

from collections.abc import Callable

import pytest

pytest_plugins = ["pytester"]

MARK = 'pytest.mark.sslauth("models/tiny")'

WAYS = {
    "decorator": f"@{MARK}\ndef test_it(): pass",
    "class": f"@{MARK}\nclass TestIt:\n    def test_it(self): pass",
    "module": f"pytestmark = {MARK}\ndef test_it(): pass",
    "parameter": f"@pytest.mark.parametrize('x', [pytest.param(1, marks={MARK})])\ndef test_it(x): pass",
    "function fixture": f"""
@pytest.fixture(autouse=True)
def late(request): request.applymarker({MARK})
def test_it(): pass""",
    "class fixture": f"""
class TestIt:
    @pytest.fixture(autouse=True, scope="class")
    def late(self, request): request.applymarker({MARK})
    def test_it(self): pass""",
    "module fixture": f"""
@pytest.fixture(autouse=True, scope="module")
def late(request): request.applymarker({MARK})
def test_it(): pass""",
    "fixture, by the node": f"""
@pytest.fixture
def late(request): request.node.add_marker({MARK})
def test_it(late): pass""",
    "fixture, at its end": f"""
@pytest.fixture
def late(request):
    yield
    request.applymarker({MARK})
def test_it(late): pass""",
    "body": f"def test_it(request): request.node.add_marker({MARK})",
    "setup_method": f"""
class TestIt:
    @pytest.fixture(autouse=True)
    def remember(self, request): self.request = request
    def setup_method(self, method): method.__dict__["pytestmark"] = [{MARK}]
    @{MARK}
    def test_it(self): pass""",
    "unittest": f"""
import unittest
class TestIt(unittest.TestCase):
    @{MARK}
    def test_it(self): pass""",
    "unittest setUp": f"""
import unittest
class TestIt(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def remember(self, request): self.request = request
    def setUp(self): self.request.node.add_marker({MARK})
    def test_it(self): pass""",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_marker_is_checked_however_it_is_added(
    way: str, project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    project.makepyfile(f"import pytest\n{WAYS[way]}")
    project.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=1)
    alter_encoder()
    result = project.runpytest("-p", "no:cacheprovider")
    assert result.ret == 1
    ended = result.parseoutcomes()
    assert ended.get("failed", 0) + ended.get("errors", 0) == 1  # what a fixture adds at its end is an error
    result.stdout.fnmatch_lines(["*ALTERED: models/tiny*"])


def test_a_marker_that_a_hook_adds_is_checked(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    project.makeconftest(
        f"""
        import pytest
        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker({MARK})
        """
    )
    project.makepyfile("def test_it(): pass")
    project.runpytest().assert_outcomes(failed=1)


SKIPS = {
    "pytest.mark.skip": f"@pytest.mark.skip\n@{MARK}\ndef test_it(): pass",
    "pytest.mark.skipif": f"@pytest.mark.skipif(True, reason='x')\n@{MARK}\ndef test_it(): pass",
    "unittest.skip": f"@unittest.skip('x')\n@{MARK}\ndef test_it(): pass",
    "unittest.skipIf, method": f"""
class TestIt(unittest.TestCase):
    @unittest.skipIf(True, 'x')
    @{MARK}
    def test_it(self): pass""",
    "unittest.skipUnless, method": f"""
class TestIt(unittest.TestCase):
    @{MARK}
    @unittest.skipUnless(False, 'x')
    def test_it(self): pass""",
    "unittest.skipUnless, class": f"""
@unittest.skipUnless(False, 'x')
class TestIt(unittest.TestCase):
    @{MARK}
    def test_it(self): pass""",
}


@pytest.mark.parametrize("kind", SKIPS)
def test_a_skipped_test_is_skipped(
    kind: str, project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    project.makepyfile(f"import pytest, unittest\n{SKIPS[kind]}")
    project.runpytest().assert_outcomes(skipped=1)


WRAPPED = {
    "plain": "sslauth.assert_authentic('models/tiny')",
    "task group": """
    import asyncio
    async def check(): sslauth.assert_authentic('models/tiny')
    async def main():
        async with asyncio.TaskGroup() as group:
            group.create_task(check())
    asyncio.run(main())""",
    "nested groups": """
    try:
        sslauth.assert_authentic('models/tiny')
    except BaseException as error:
        raise BaseExceptionGroup('a', [ValueError(), BaseExceptionGroup('b', [error])]) from None""",
    "cause": """
    try:
        sslauth.assert_authentic('models/tiny')
    except BaseException as error:
        raise ValueError('expected') from error""",
    "context": """
    try:
        sslauth.assert_authentic('models/tiny')
    finally:
        raise ValueError('expected')""",
}


@pytest.mark.parametrize("wrapping", WRAPPED)
def test_xfail_excuses_nothing_however_it_is_wrapped(
    wrapping: str, project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    project.makepyfile(f"import pytest\n@pytest.mark.xfail\ndef test_it(sslauth):\n    {WRAPPED[wrapping]}")
    project.runpytest().assert_outcomes(failed=1)


@pytest.mark.parametrize("off", [("-p", "no:sslauth"), ()], ids=["-p no:sslauth", "no autoloading"])
def test_without_the_plugin_the_documented_configuration_is_an_error(
    off: tuple[str, ...], project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.makeini("[pytest]\nrequired_plugins = pytest-sslauth\naddopts = --strict-markers\n")
    project.makepyfile(f"import pytest\n{WAYS['decorator']}")
    project.runpytest_subprocess().assert_outcomes(passed=1)
    if not off:
        monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = project.runpytest_subprocess(*off)
    assert result.ret not in (0, 5)
    assert "passed" not in result.stdout.str()


def test_the_plugin_can_be_loaded_by_name(project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    project.makepyfile(f"import pytest\n{WAYS['decorator']}")
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    result = project.runpytest_subprocess("-p", "pytest_sslauth.plugin", "--strict-markers")
    result.assert_outcomes(passed=1)
