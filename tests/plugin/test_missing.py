"""``--sslauth-missing=skip``: tests skip while offline or without an extra, and for nothing else."""

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hf_integration.base.errors import MissingExtraError, SSLAuthError
from hf_integration.checking.finding import Place
from hf_integration.checking.pins import Pin
from hf_integration.snapshot.hub_errors import OfflineError
from pytest_sslauth.outcome import is_out_of_reach
from tests.plugin.conftest import ENCODER
from tests.plugin.test_pinned import pin

pytest_plugins = ["pytester"]

COMMIT = "0" * 40
ON_THE_HUB = f'repo = "org/absent"\ncommit = "{COMMIT}"'
SKIP = "--sslauth-missing=skip"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("model_signing", "model_signing.signing", "model_signing.verifying"):
        monkeypatch.setitem(__import__("sys").modules, name, None)


def marked(project: pytest.Pytester, arguments: str = '"here"') -> None:
    project.makepyfile(f"import pytest\n@pytest.mark.sslauth({arguments})\ndef test_app():\n    pass\n")


def sign(project: pytest.Pytester) -> None:
    """A pinned signer whose key is there."""
    pin(project.path, 'signer = "key.pub"')
    (project.path / "key.pub").write_text(
        "-----BEGIN PUBLIC KEY-----\n"
        "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54W"
        "K84zV2sxXs7LtkBoN79R9Q==\n-----END PUBLIC KEY-----\n"
    )


class TestWhatSkips:
    @pytest.mark.parametrize("arguments", ['"here"', f'"org/absent", revision="{COMMIT}", card="cards/tiny"'])
    @pytest.mark.usefixtures("offline")
    def test_an_encoder_on_the_hub_while_offline(self, project: pytest.Pytester, arguments: str) -> None:
        pin(project.path, place=ON_THE_HUB)
        marked(project, arguments)
        project.runpytest().assert_outcomes(failed=1)
        result = project.runpytest(SKIP, "-rs")
        result.assert_outcomes(skipped=1)
        result.stdout.fnmatch_lines(
            [
                "*= sslauth =*",
                "inconclusive*out of reach*skipped, as --sslauth-missing=skip allows",
                "SKIPPED*NOT CHECKED*",
            ]
        )

    @pytest.mark.usefixtures("without_the_extra")
    def test_a_signed_card_without_the_extra(self, project: pytest.Pytester) -> None:
        sign(project)
        marked(project)
        project.runpytest().assert_outcomes(failed=1)
        result = project.runpytest(SKIP, "-rs")
        result.assert_outcomes(skipped=1)
        result.stdout.fnmatch_lines(["SKIPPED*the extra 'sign'*"])

    def test_a_hub_that_takes_no_connection(
        self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))  # nobody listens
            monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
            monkeypatch.setenv("HF_HUB_OFFLINE", "0")
            monkeypatch.setenv("HF_HOME", str(project.path / "home"))
            pin(project.path, place='repo = "org/absent"')
            marked(project)
            project.runpytest_subprocess(SKIP).assert_outcomes(skipped=1)


def _without(*names: str) -> Callable[[pytest.Pytester], None]:
    def remove(project: pytest.Pytester) -> None:
        import shutil

        for name in names:
            shutil.rmtree(project.path / name)

    return remove


def _pinned(
    *lines: str, place: str = ON_THE_HUB, card: str = "cards/tiny"
) -> Callable[[pytest.Pytester], None]:
    return lambda project: pin(project.path, *lines, place=place, card=card)


def _damaged(project: pytest.Pytester) -> None:
    pin(project.path, place=ON_THE_HUB)
    (project.path / "cards/tiny/card.json").write_text("{}")


def _altered(project: pytest.Pytester) -> None:
    pin(project.path)
    file = project.path / ENCODER / "config.json"
    file.write_text(file.read_text().replace('"gelu"', '"relu"'))


def _broken(project: pytest.Pytester) -> None:
    (project.path / "sslauth.toml").write_text("x")


def _foreign_signer(project: pytest.Pytester) -> None:
    pytest.importorskip("model_signing")
    sign(project)


LOCAL = 'path = "models/tiny"'
FAILING: dict[str, tuple[Callable[[pytest.Pytester], None], str]] = {
    "altered": (_altered, '"here"'),
    "another card is pinned": (_pinned(f'card_digest = "sha256:{"0" * 64}"'), '"here"'),
    "another card is pinned, of a folder": (
        _pinned(f'card_digest = "sha256:{"0" * 64}"', place=LOCAL),
        '"here"',
    ),
    "damaged card": (_damaged, '"here"'),
    "no pinned card": (_pinned(card="cards/absent"), '"here"'),
    "no pinned card, where no folder is": (_pinned(card="trust/absent"), '"here"'),
    "no pinned encoder": (_pinned(place='path = "models/absent"'), '"here"'),
    "no card": (_without("cards"), '"models/tiny"'),
    "no encoder": (_without("models"), '"models/tiny"'),
    "no encoder, whose card is named": (_without("models"), '"models/tiny", card="cards/tiny"'),
    "no key of the signer": (_pinned('signer = "absent.pub"', place=LOCAL), '"here"'),
    "not signed": (_foreign_signer, '"here"'),
    "another revision than is pinned": (_pinned(), '"here", revision="main"'),
    "a broken sslauth.toml": (_broken, '"here"'),
    "no precision of ours": (_pinned(), '"here", precision="float8"'),
}


class TestWhatFails:
    @pytest.mark.parametrize("case", FAILING)
    @pytest.mark.usefixtures("offline")
    def test_whatever_is_missing_foreign_or_altered(self, project: pytest.Pytester, case: str) -> None:
        arrange, arguments = FAILING[case]
        arrange(project)
        marked(project, arguments)
        project.runpytest(SKIP).assert_outcomes(failed=1)

    @pytest.mark.usefixtures("offline")
    def test_a_test_of_which_one_encoder_fails(self, project: pytest.Pytester) -> None:
        pin(project.path, place=ON_THE_HUB)
        project.makepyfile(
            """
            import pytest

            @pytest.mark.sslauth("here")
            @pytest.mark.sslauth("models/absent")
            def test_app():
                pass
            """
        )
        project.runpytest(SKIP).assert_outcomes(failed=1)

    @pytest.mark.parametrize(("order", "skipped"), [("ab", 1), ("ba", 0)])
    @pytest.mark.usefixtures("offline")
    def test_a_folder_that_says_fail_does_not_skip_for_a_fixture_that_another_one_set_up(
        self, project: pytest.Pytester, order: str, skipped: int
    ) -> None:
        """And what failed once fails for all who share it."""
        pin(project.path, place=ON_THE_HUB)
        project.makeconftest(
            """
            import pytest

            @pytest.fixture(scope="session")
            def encoder(authentic_encoders):
                return authentic_encoders("here")
            """
        )
        for name, word in (("a", "skip"), ("b", "fail")):
            folder = project.mkpydir(name)
            (folder / "conftest.py").write_text(
                "import pytest\n@pytest.fixture(scope='session')\n"
                f"def sslauth_missing():\n    return {word!r}\n"
            )
            (folder / f"test_{name}.py").write_text("def test_app(encoder):\n    pass\n")
        project.runpytest(*order).assert_outcomes(skipped=skipped, failed=2 - skipped)

    def test_only_two_errors_are_out_of_reach(self) -> None:
        pinned = Place("here", repo="org/name", pin=Pin("here", Path("sslauth.toml"), repo="org/name"))
        found = set()
        for kind in _all_errors(SSLAuthError):
            error = OfflineError("x", repo="org/name") if kind is OfflineError else kind.__new__(kind)
            if is_out_of_reach(error, pinned, revision=None):
                found.add(kind)
        assert found == {OfflineError, MissingExtraError}
        for other in (OSError("x"), ImportError("x"), RuntimeError("x"), TimeoutError("x")):
            assert not is_out_of_reach(other, pinned, revision=None)

    @pytest.mark.parametrize(
        ("place", "repo", "revision"),
        [
            (Place("org/name", repo="org/name"), "org/name", None),  # may be a folder that is gone
            (Place("org/name", repo="org/name"), "org/card", "main"),
            (Place("here", repo="org/name", pin=Pin("here", Path(), repo="org/name")), "org/card", None),
            (Place("models/tiny", folder=Path("models/tiny")), "org/name", None),
        ],
    )
    def test_offline_counts_for_nothing_but_a_repository(
        self, place: Place, repo: str, revision: str | None
    ) -> None:
        assert not is_out_of_reach(OfflineError("x", repo=repo), place, revision=revision)


def _all_errors(kind: type[SSLAuthError]) -> Iterator[type[SSLAuthError]]:
    yield kind
    for other in kind.__subclasses__():
        yield from _all_errors(other)


SWALLOWED = """
import pytest
import threading

def test_caught(sslauth):
    try:
        sslauth.assert_authentic("here")
    except BaseException:
        pass

def test_in_a_thread(sslauth):
    thread = threading.Thread(target=sslauth.assert_authentic, args=("here",))
    thread.start()
    thread.join()

def test_looked_at(sslauth):
    assert sslauth.authenticate("here").status == "authentic"

@pytest.fixture(scope="module")
def caught(sslauth):
    try:
        sslauth.assert_authentic("here")
    except BaseException:
        pass

def test_fixture(caught):
    pass

def test_fixture_again(caught):
    pass

@pytest.mark.sslauth("here")
def test_handed(authentic_encoder):
    pass
"""


def test_no_test_passes_whose_encoder_was_not_checked(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pin(project.path, place=ON_THE_HUB)
    project.makepyfile(SWALLOWED)
    result = project.runpytest_subprocess(SKIP, "-p", "no:threadexception")
    result.assert_outcomes(skipped=6)


@pytest.mark.usefixtures("offline")
def test_a_configured_encoder_that_was_skipped_is_none_that_was_checked(project: pytest.Pytester) -> None:
    project.makeini("[pytest]\n")
    pin(project.path, place=ON_THE_HUB)
    result = project.runpytest(SKIP)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*1 configured encoder was not checked: here"])
    result = project.runpytest(SKIP, "--sslauth-require")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR: 1 configured encoder was not checked*"])


EXPECTED = """
import pytest

@pytest.mark.xfail
def test_looked_at(sslauth):
    assert sslauth.authenticate("models/tiny").status == "authentic"

def test_at_run_time(sslauth):
    sslauth.authenticate("models/tiny")
    pytest.xfail("known")

@pytest.mark.xfail
@pytest.mark.sslauth("models/tiny")
def test_marked():
    pass

@pytest.mark.xfail
def test_of_another_matter():
    assert False
"""


def test_an_xfail_that_would_hide_an_alteration_is_listed(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    project.makepyfile(test_app=EXPECTED)
    result = project.runpytest()
    result.assert_outcomes(failed=1, xfailed=3)
    excused = "is expected to fail, which excuses nothing: models/tiny is altered"
    result.stdout.fnmatch_lines(
        [
            f"xfail         test_app.py::test_{name}  {excused}"
            for name in ("at_run_time", "looked_at", "marked")
        ]
    )
    assert result.stdout.str().count("xfail  ") == 3
