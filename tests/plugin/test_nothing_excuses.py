"""A check that failed fails its test, on whatever way its failure gets lost there."""

from collections.abc import Callable, Iterable

import pytest

pytest_plugins = ["pytester"]

HEAD = """
import asyncio, contextlib, threading, unittest
from concurrent.futures import ThreadPoolExecutor
import pytest

@pytest.fixture
def check(sslauth):
    return lambda: sslauth.assert_authentic("models/tiny")

@pytest.fixture
def failing(check):
    check()

@pytest.fixture
def swallowing(check):
    try:
        check()
    except BaseException:
        pytest.skip("no encoder")

@pytest.fixture
def late(check):
    yield
    check()
"""

XFAIL = """
def test_group(check):
    async def one(): check()
    async def both():
        async with asyncio.TaskGroup() as tasks: tasks.create_task(one())
    asyncio.run(both())

def test_nested_groups(check):
    try: check()
    except BaseException as error:
        raise BaseExceptionGroup("a", [ValueError(), BaseExceptionGroup("b", [error])])

def test_gather(check):
    async def one(): check()
    async def both(): await asyncio.gather(one(), one())
    asyncio.run(both())

def test_cause(check):
    try: check()
    except BaseException as error: raise ValueError from error

def test_context(check):
    try: check()
    except BaseException: raise ValueError

def test_no_context(check):
    try: check()
    except BaseException: raise ValueError from None

def test_list(check):
    found = []
    try: check()
    except BaseException as error: found.append(error)
    assert not found

def test_suppressed(check):
    with contextlib.suppress(BaseException): check()
    assert False

def test_finally(check):
    try: check()
    finally: raise ValueError

def test_imperative(check):
    try: check()
    except BaseException: pytest.xfail("no encoder")

def test_thread(check):
    thread = threading.Thread(target=check)
    thread.start()
    thread.join()

def test_thread_that_fails_otherwise(check):
    def work():
        try: check()
        except BaseException: raise ValueError from None
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

def test_executor(check):
    with ThreadPoolExecutor() as pool: pool.submit(check).result()

def test_asked_for(sslauth):
    sslauth.authenticate("models/absent")

def test_misuse(sslauth):
    sslauth.assert_authentic("models/tiny", precision="double")

def test_fixture(failing): pass

def test_encoder(authentic_encoder): pass

class TestCase(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def checks(self, check): self.check = check

    def test_method(self): self.check()

    def test_subtest(self):
        with self.subTest(): self.check()
"""

SKIP = """
def test_skip(check):
    try: check()
    except BaseException: pytest.skip("no encoder")

def test_raised_skip(check):
    try: check()
    except BaseException as error: raise unittest.SkipTest("no encoder")

def test_fixture(swallowing): pass

class TestCase(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def checks(self, check): self.check = check

    def test_skip(self):
        try: self.check()
        except BaseException: self.skipTest("no encoder")

    @unittest.expectedFailure
    def test_expected(self): self.check()
"""

KEPT = """
@pytest.fixture(scope=SCOPE)
def kept_failing(sslauth): sslauth.assert_authentic("models/tiny")

@pytest.fixture(scope=SCOPE)
def kept_skipping(sslauth):
    try: sslauth.assert_authentic("models/tiny")
    except BaseException: pytest.skip("no encoder")

@pytest.fixture(scope=SCOPE)
def kept_swallowing(sslauth):
    try: return sslauth.assert_authentic("models/tiny")
    except BaseException: return None

@pytest.fixture(scope=SCOPE)
def kept_otherwise(sslauth):
    try: sslauth.assert_authentic("models/tiny")
    except BaseException: raise ValueError from None

@pytest.fixture
def indirect(kept_failing): pass

@pytest.mark.parametrize("n", [1, 2])
class TestKept:
    def test_failing(self, kept_failing, n): pass
    def test_indirect(self, indirect, n): pass
    def test_skipping(self, kept_skipping, n): pass
    def test_swallowing(self, kept_swallowing, n): assert kept_swallowing
    def test_otherwise(self, kept_otherwise, n): pass
    def test_dynamic(self, request, n): request.getfixturevalue("kept_failing")

    @pytest.mark.skip
    def test_skipped(self, kept_failing, n): pass

    @pytest.mark.xfail(run=False)
    def test_not_run(self, kept_failing, n): pass

    def test_of_something_else(self, n): assert False
"""

TASKS = """
def test_task(check):
    async def one(): check()
    async def main():
        task = asyncio.create_task(one())
        await asyncio.sleep(0.01)
    asyncio.run(main())

def test_task_that_is_kept(check):
    async def one(): check()
    async def main():
        TASKS.append(asyncio.create_task(one()))
        await asyncio.wait(TASKS)
    asyncio.run(main())

def test_task_that_fails_otherwise(check):
    async def one():
        try: check()
        except BaseException: raise ValueError from None
    async def main():
        asyncio.create_task(one())
        await asyncio.sleep(0.01)
    asyncio.run(main())

def test_task_of_a_thread(check):
    async def one(): check()
    async def main():
        asyncio.create_task(one())
        await asyncio.sleep(0.01)
    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    thread.join()

def test_task_of_a_fixture(tasking): pass

@pytest.fixture
def tasking(check):
    async def one(): check()
    async def main():
        asyncio.create_task(one())
        await asyncio.sleep(0.01)
    asyncio.run(main())

TASKS = []
"""

PLAIN = """
def test_thread(check):
    thread = threading.Thread(target=check)
    thread.start()
    thread.join()

def test_thread_in_a_fixtures_tear_down(late_thread): pass

@pytest.fixture
def late_thread(check):
    yield
    thread = threading.Thread(target=check)
    thread.start()
    thread.join()
"""


def outcomes(project: pytest.Pytester, code: str) -> dict[str, list[str]]:
    """The outcomes that each test reported, those of passed set-ups and tear-downs left out."""
    project.makepyfile(HEAD + code)
    # this project's own configuration, which makes an error of that warning, holds in this process
    warns = "-Wdefault::pytest.PytestUnhandledThreadExceptionWarning"
    reports: Iterable[pytest.TestReport] = project.inline_run(warns).getreports("pytest_runtest_logreport")
    found: dict[str, list[str]] = {}
    for report in reports:
        if report.when == "call" or not report.passed:
            excused = " as expected" if hasattr(report, "wasxfail") else ""
            said = "NotAuthenticError" if "models/" in report.longreprtext else ""
            found.setdefault(report.nodeid.partition("::")[2], []).append(f"{report.outcome}{excused} {said}")
    return found


def names(code: str) -> int:
    return code.count("def test_")


@pytest.mark.parametrize("strict", [True, False])
def test_xfail_excuses_no_failed_check(
    project: pytest.Pytester, alter_encoder: Callable[[], str], strict: bool
) -> None:
    alter_encoder()
    found = outcomes(project, f"pytestmark = [pytest.mark.xfail(strict={strict})]\n{XFAIL}")
    misused = found.pop("test_misuse"), found.pop("test_encoder")
    assert misused == (["failed "], ["failed "])
    subtest = found.pop("TestCase::test_subtest")
    assert "failed NotAuthenticError" in subtest
    assert found
    assert {name: what for name, what in found.items() if what != ["failed NotAuthenticError"]} == {}
    assert len(found) + 3 == names(XFAIL)


def test_no_skip_excuses_a_failed_check(project: pytest.Pytester, alter_encoder: Callable[[], str]) -> None:
    alter_encoder()
    found = outcomes(project, SKIP)
    assert {name: what for name, what in found.items() if what != ["failed NotAuthenticError"]} == {}
    assert len(found) == names(SKIP)


def test_a_check_that_ends_a_thread_fails_the_test(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    project.makepyfile(HEAD + PLAIN)
    project.runpytest().assert_outcomes(passed=names(PLAIN))
    alter_encoder()
    found = outcomes(project, PLAIN)
    assert found == {
        "test_thread": ["failed NotAuthenticError"],
        "test_thread_in_a_fixtures_tear_down": ["passed ", "failed NotAuthenticError"],
    }


@pytest.mark.parametrize("scope", ["class", "module", "package", "session"])
def test_no_fixture_that_is_kept_excuses_a_later_test(
    project: pytest.Pytester, alter_encoder: Callable[[], str], scope: str
) -> None:
    alter_encoder()
    found = outcomes(project, f"SCOPE = {scope!r}\npytestmark = pytest.mark.xfail\n{KEPT}")
    excused = {name: what for name, what in found.items() if what != ["failed NotAuthenticError"]}
    assert {name.partition("[")[0]: what for name, what in excused.items()} == {
        "TestKept::test_skipped": ["skipped "],
        "TestKept::test_not_run": ["skipped as expected "],
        "TestKept::test_of_something_else": ["skipped as expected "],
    }
    assert len(found) == 2 * names(KEPT)


def test_a_fixture_that_is_set_up_anew_brings_no_failure_of_before(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    code = """
@pytest.fixture(scope="session", params=["altered", "other"])
def kept(request, sslauth):
    if request.param == "altered": sslauth.assert_authentic("models/tiny")

def test_it(kept): pytest.skip("later")
"""
    assert outcomes(project, code) == {
        "test_it[altered]": ["failed NotAuthenticError"],
        "test_it[other]": ["skipped "],
    }


def test_a_check_that_ends_a_task_which_nobody_asks_fails_the_test(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    project.makepyfile(HEAD + TASKS)
    project.runpytest().assert_outcomes(passed=names(TASKS))
    alter_encoder()
    found = outcomes(project, TASKS)
    assert {name: what for name, what in found.items() if what != ["failed NotAuthenticError"]} == {}
    assert len(found) == names(TASKS)


@pytest.mark.skipif(not hasattr(pytest, "Subtests"), reason="pytest has subtests since 9.0")
def test_xfail_excuses_no_subtest(project: pytest.Pytester, alter_encoder: Callable[[], str]) -> None:
    alter_encoder()
    code = """
@pytest.mark.xfail
def test_sub(check, subtests):
    with subtests.test(): check()
"""
    assert "failed NotAuthenticError" in outcomes(project, code)["test_sub"]


def test_an_authentic_encoder_leaves_xfail_and_skip_as_they_are(project: pytest.Pytester) -> None:
    code = """
def test_expected(check):
    check()
    assert False

def test_skips(check):
    check()
    pytest.skip("later")
"""
    found = outcomes(project, f"pytestmark = pytest.mark.xfail\n{code}")
    assert found == {"test_expected": ["skipped as expected "], "test_skips": ["skipped "]}


def test_the_failure_of_one_test_is_none_of_the_next(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    code = """
def test_fails(check): check()

@pytest.mark.skip
def test_skipped(): pass

@pytest.mark.xfail(run=False)
def test_not_run(): pass
"""
    assert outcomes(project, code) == {
        "test_fails": ["failed NotAuthenticError"],
        "test_skipped": ["skipped "],
        "test_not_run": ["skipped as expected "],
    }


def test_a_test_that_is_not_run_needs_no_excuse(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    code = """
@pytest.mark.sslauth("models/tiny")
@pytest.mark.xfail(run=False)
def test_not_run(): pass
"""
    assert outcomes(project, code) == {"test_not_run": ["skipped as expected "]}


def test_a_rejection_that_the_test_expects_is_a_pass(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    code = """
def test_rejected(check):
    with pytest.raises(pytest.fail.Exception, match="ALTERED"): check()

def test_in_an_executor(check):
    with ThreadPoolExecutor() as pool, pytest.raises(pytest.fail.Exception): pool.submit(check).result()

def test_in_a_task(check):
    async def one(): check()
    async def main():
        task = asyncio.create_task(one())
        await asyncio.wait([task])
        assert isinstance(task.exception(), pytest.fail.Exception)
        assert await asyncio.gather(one(), return_exceptions=True)
        with pytest.raises(pytest.fail.Exception): await asyncio.create_task(one())
    asyncio.run(main())

@pytest.fixture(scope="module")
def rejected(sslauth):
    with pytest.raises(pytest.fail.Exception): sslauth.assert_authentic("models/tiny")

def test_in_a_fixture(rejected): pass

def test_in_a_fixture_that_is_kept(rejected): pass
"""
    found = outcomes(project, code)
    assert len(found) == names(code)
    assert set(map(tuple, found.values())) == {("passed ",)}
