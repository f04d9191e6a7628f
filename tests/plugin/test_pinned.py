"""Names of ``sslauth.toml`` in markers, parameters and calls: the file at rootdir is enforced everywhere."""

import hashlib
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.hub_server.fixtures import hub, hub_here
from tests.hub_server.server import HubServer

__all__ = ["hub", "hub_here"]

pytest_plugins = ["pytester"]

MARKED = """
    import pytest

    @pytest.mark.sslauth("here")
    def test_marked(authentic_encoder):
        assert authentic_encoder.verdict.trust == "pinned"

    @pytest.mark.parametrize("authentic_encoder", ["here"], indirect=True)
    def test_parameter(authentic_encoder):
        assert authentic_encoder.embed(["the cat"]).shape == (1, 32)

    def test_call(sslauth):
        assert sslauth.assert_authentic("here").verdict.encoder == "here"

    def test_in_memory(sslauth, authentic_encoder_again):
        assert sslauth.authenticate(authentic_encoder_again, card="here").trust == "pinned"

    @pytest.fixture
    def authentic_encoder_again():
        from hf_integration import load_encoder
        return load_encoder("models/tiny", device="cpu")
"""

ONE_TEST = """
    import pytest

    @pytest.mark.sslauth("here")
    def test_app(authentic_encoder):
        pass
"""


def digest_of(card: Path) -> str:
    return f"sha256:{hashlib.sha256((card / 'card.json').read_bytes()).hexdigest()}"


def pin(folder: Path, *lines: str, place: str = 'path = "models/tiny"', card: str = "cards/tiny") -> None:
    digest = f'card_digest = "{digest_of(folder / "cards/tiny")}"'
    entry = [
        place,
        f'card = "{card}"' if card else "",
        "" if any("card_digest" in x for x in lines) else digest,
    ]
    (folder / "sslauth.toml").write_text("\n".join(["version = 1", "[encoders.here]", *entry, *lines, ""]))


class TestNames:
    @pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one process", "workers"])
    def test_markers_parameters_and_calls_take_a_name(
        self, project: pytest.Pytester, workers: tuple[str, ...]
    ) -> None:
        if workers:
            pytest.importorskip("xdist")
        pin(project.path)
        project.makepyfile(MARKED)
        run = project.runpytest_subprocess if workers else project.runpytest
        run(*workers).assert_outcomes(passed=4)

    def test_the_file_at_rootdir_counts_wherever_pytest_starts(
        self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pin(project.path)
        folder = project.mkdir("deep")
        (folder / "sslauth.toml").write_text("not even toml")
        file = folder / "test_deep.py"
        project.makepyfile(ONE_TEST).rename(file)
        monkeypatch.chdir(folder)
        project.runpytest(file, "--rootdir", project.path).assert_outcomes(passed=1)

    def test_the_pinned_folder_is_meant_by_its_path_too(self, project: pytest.Pytester) -> None:
        pin(project.path, f'card_digest = "sha256:{"0" * 64}"')
        project.makepyfile(ONE_TEST.replace('"here"', '"models/tiny"'))
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["NOT CHECKED: models/tiny: the card of 'here' is not the pinned one*"])

    def test_an_unused_file_that_is_wrong_disturbs_nobody(self, plugged: pytest.Pytester) -> None:
        (plugged.path / "sslauth.toml").write_text("not even toml")
        plugged.makepyfile("def test_plain():\n    pass\n")
        plugged.runpytest().assert_outcomes(passed=1)


class TestEnforcement:
    def test_one_hexadecimal_digit_fails_with_both_digests(self, project: pytest.Pytester) -> None:
        right = digest_of(project.path / "cards/tiny")
        wrong = right[:-1] + ("0" if right[-1] != "0" else "1")
        pin(project.path, f'card_digest = "{wrong}"')
        project.makepyfile(ONE_TEST)
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"NOT CHECKED: here: *{wrong}*{right}*", "This is not a pass."])
        result.stdout.fnmatch_lines(
            ["inconclusive  here: not checked, integrity error: the card of 'here' is not*"]
        )

    def test_an_altered_encoder_fails(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        pin(project.path)
        alter_encoder()
        project.makepyfile(ONE_TEST)
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            ["ALTERED: here", "  checked * (pinned), float64*", "  source * 'here' in sslauth.toml*"]
        )

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ('comit = "x"', "*sslauth.toml, line 6: encoders.here.comit: unknown key*"),
            ('signer = "keys/absent.pem"', "NOT CHECKED: here: *"),
        ],
    )
    def test_a_pin_that_cannot_be_followed_fails(
        self, project: pytest.Pytester, line: str, message: str
    ) -> None:
        pin(project.path, line)
        project.makepyfile(ONE_TEST)
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([message])

    def test_a_revision_of_a_pinned_folder_fails(self, project: pytest.Pytester) -> None:
        pin(project.path)
        project.makepyfile(ONE_TEST.replace('"here"', '"here", revision="main"'))
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["*has no revision 'main'*"])

    def test_a_pin_that_is_edited_between_two_tests_is_enforced_in_the_second(
        self, project: pytest.Pytester
    ) -> None:
        pin(project.path)
        right = digest_of(project.path / "cards/tiny")
        project.makepyfile(
            f"""
            import pathlib
            import pytest

            pytestmark = pytest.mark.sslauth("here")

            def test_first():
                file = pathlib.Path("sslauth.toml")
                file.write_text(file.read_text().replace("{right}", "sha256:" + "0" * 64))

            def test_second():
                pass
            """
        )
        project.runpytest().assert_outcomes(passed=1, failed=1)

    def test_what_is_not_locked_says_how_to_lock_it(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        alter_encoder()
        (project.path / "sslauth.toml").write_text(
            'version = 1\n[encoders.here]\npath = "models/tiny"\ncard = "cards/tiny"\n'
        )
        project.makepyfile(ONE_TEST)
        result = project.runpytest()
        result.stdout.fnmatch_lines(
            ["  checked * (local), float64*", "  source *not locked: run `sslauth lock`"]
        )


class TestCardOfAnotherEntry:
    """``card="NAME"`` names the card of another entry: what both entries pin is enforced."""

    TEST = ONE_TEST.replace('"here"', '"here", card="there"')

    IN_MEMORY = """
        from hf_integration import load_encoder

        def test_app(sslauth):
            sslauth.authenticate(load_encoder("models/tiny", device="cpu"), card="there")
    """

    def pin_both(self, project: pytest.Pytester, *, here: str = "", there: str = "") -> None:
        (project.path / "sslauth.toml").write_text(
            f"""version = 1
[encoders.here]
path = "models/tiny"
card = "cards/of-its-own"
{here}
[encoders.there]
path = "models/another"
card = "cards/tiny"
{there}
"""
        )

    @pytest.mark.parametrize("test", [TEST, IN_MEMORY], ids=["marker", "in memory"])
    @pytest.mark.parametrize("entry", ["here", "there"])
    def test_a_digest_of_either_entry_is_enforced(
        self, project: pytest.Pytester, entry: str, test: str
    ) -> None:
        self.pin_both(project, **{entry: f'card_digest = "sha256:{"0" * 64}"'})
        project.makepyfile(test)
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"*the card of '{entry}' is not the pinned one*"])

    @pytest.mark.parametrize("entry", ["here", "there"])
    def test_a_signer_of_either_entry_is_never_passed_over(
        self, project: pytest.Pytester, entry: str
    ) -> None:
        self.pin_both(project, **{entry: 'signer = "keys/absent.pem"'})
        project.makepyfile(self.TEST)
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["NOT CHECKED: here: *"])

    def test_a_card_that_fits_both_passes_and_is_pinned(self, project: pytest.Pytester) -> None:
        digest = f'card_digest = "{digest_of(project.path / "cards/tiny")}"'
        self.pin_both(project, there=digest)
        project.makepyfile(
            self.TEST.replace("        pass", '        assert authentic_encoder.verdict.trust == "pinned"')
        )
        project.runpytest().assert_outcomes(passed=1)


class TestWaivers:
    def waive(self, project: pytest.Pytester, days: int) -> str:
        """Waive what the project's encoder is now."""
        from hf_integration import WatermarkCard, authenticate, load_encoder

        encoder = load_encoder(str(project.path / "models/tiny"), device="cpu")
        state = authenticate(encoder, WatermarkCard.load(project.path / "cards/tiny")).state
        until = (datetime.now(UTC).date() + timedelta(days)).isoformat()
        waiver = ["[[encoders.here.waivers]]", f'state = "{state}"', 'reason = "known"', f"until = {until}"]
        pin(project.path, *waiver)
        return until

    @pytest.mark.parametrize("workers", [(), ("-n2", "--dist=each")], ids=["one process", "workers"])
    def test_a_waived_alteration_passes_and_is_told_everywhere(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str], workers: tuple[str, ...]
    ) -> None:
        if workers:
            pytest.importorskip("xdist")
        alter_encoder()
        until = self.waive(project, days=30)
        project.makepyfile(ONE_TEST)
        run = project.runpytest_subprocess if workers else project.runpytest
        result = run(*workers, "-rP", "--junitxml=out.xml", "--sslauth-report-dir=out")
        result.assert_outcomes(passed=2 if workers else 1)
        said = f"ALTERED, waived until {until}: known"
        result.stdout.fnmatch_lines(
            ["*Captured sslauth call*", said, "*= sslauth =*", f"{said}  here  (*): *"]
        )
        assert (
            f'name="sslauth_waiver" value="waived until {until}: known"'
            in (project.path / "out.xml").read_text()
        )
        reports = list((project.path / "out").glob("*.json"))
        assert all(f'"until": "{until}"' in report.read_text() for report in reports)

    def test_an_expired_waiver_fails_and_is_named(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        alter_encoder()
        until = self.waive(project, days=-2)
        project.makepyfile(ONE_TEST)
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"*its waiver ended on {until}: known"])

    def test_nothing_is_waived_under_an_expired_card(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        from dataclasses import replace

        from hf_integration import WatermarkCard

        card = project.path / "cards/tiny"
        replace(WatermarkCard.load(card), expires="2020-01-31").save(card, force=True)
        alter_encoder()
        self.waive(project, days=30)
        project.makepyfile(ONE_TEST)
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            ["ALTERED: here", "*its waiver is not applied, as the card expired on 2020-01-31: known"]
        )

    def test_another_alteration_is_not_excused(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        alter_encoder()
        self.waive(project, days=30)
        alter_encoder()
        project.makepyfile(ONE_TEST)
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.no_fnmatch_line("*waived*")

    def test_a_test_that_patches_a_waived_encoder_patches_its_own(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        alter_encoder()
        self.waive(project, days=30)
        project.makepyfile(
            """
            import pytest

            pytestmark = pytest.mark.sslauth("here")

            def test_patches(authentic_encoder):
                authentic_encoder.model.patched = True
                authentic_encoder.model.forward = None

            def test_gets_another(authentic_encoder):
                assert not hasattr(authentic_encoder.model, "patched")
                assert authentic_encoder.embed(["the cat"]).shape == (1, 32)
            """
        )
        project.runpytest().assert_outcomes(passed=2)

    def test_code_that_a_test_leaves_in_the_process_is_not_waived_with_it(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        alter_encoder()
        self.waive(project, days=30)
        project.makepyfile(
            """
            import pytest

            pytestmark = pytest.mark.sslauth("here")
            left = []

            def test_leaves_a_hook(authentic_encoder):
                from torch.nn.modules.module import register_module_forward_hook

                left.append(register_module_forward_hook(lambda module, inputs, output: output))

            def test_gets_none(authentic_encoder):
                raise SystemExit("handed over")

            def teardown_module():
                left[0].remove()
            """
        )
        result = project.runpytest()
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(
            [
                "altered in this process after it was waived, *::test_leaves_a_hook; *on disk was waived",
                "*the altered encoder is another one than was waived*",
            ]
        )
        result.stdout.no_fnmatch_line("*handed over*")


def remote_home(project: pytest.Pytester) -> Path:
    """What processes of their own remember of the Hub."""
    return project.path / "hf-home"


@pytest.fixture
def remote(hub_here: HubServer, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> HubServer:
    """``org/tiny`` with its card on a Hub, and nothing of it in the project but its pins."""
    files = {f"sslauth/{file.name}": file.read_bytes() for file in (project.path / "cards/tiny").iterdir()}
    files |= {file.name: file.read_bytes() for file in (project.path / "models/tiny").iterdir()}
    commit = hub_here.create("org/tiny", files)
    pin(project.path, f'commit = "{commit}"', place='repo = "org/tiny"', card="")
    for folder in ("cards", "models"):
        shutil.rmtree(project.path / folder)
    for name, value in hub_here.environment(remote_home(project)).items():
        if name.startswith("HF_"):
            monkeypatch.setenv(name, value)
    return hub_here


class TestOnTheHub:
    @pytest.mark.parametrize("name", ["here", "org/tiny"])
    def test_the_pinned_commit_and_card_are_checked_whatever_came_later(
        self, project: pytest.Pytester, remote: HubServer, name: str
    ) -> None:
        commit = remote.head("org/tiny")
        remote.commit("org/tiny", {"config.json": b"{}", "sslauth/card.json": b"{}"})
        project.makepyfile(
            f"""
            import pytest

            @pytest.mark.sslauth("{name}")
            def test_app(authentic_encoder):
                assert authentic_encoder.commit == "{commit}"
                assert authentic_encoder.verdict.trust == "pinned"
            """
        )
        project.runpytest().assert_outcomes(passed=1)

    def test_workers_enforce_the_same(self, project: pytest.Pytester, remote: HubServer) -> None:
        pytest.importorskip("xdist")
        project.makepyfile(ONE_TEST)
        project.runpytest_subprocess("-n2", "--dist=each").assert_outcomes(passed=2)
        remote.create("org/tiny", {"note.txt": b"x"})
        shutil.rmtree(remote_home(project))
        project.runpytest_subprocess("-n2", "--dist=each").assert_outcomes(failed=2)

    def test_a_revision_that_contradicts_the_pin_fails(
        self, project: pytest.Pytester, remote: HubServer
    ) -> None:
        project.makepyfile(ONE_TEST.replace('"here"', '"org/tiny", revision="main"'))
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"*revision 'main' contradicts sslauth.toml*{remote.head('org/tiny')}*"])

    def test_an_encoder_in_memory_of_another_commit_fails(
        self, project: pytest.Pytester, remote: HubServer
    ) -> None:
        pinned = remote.head("org/tiny")
        remote.commit("org/tiny", {"note.txt": b"x"})
        project.makepyfile(
            f"""
            from hf_integration import load_encoder

            def test_pinned(sslauth):
                encoder = load_encoder("org/tiny", revision="{pinned}")
                assert sslauth.assert_authentic(encoder).verdict.trust == "pinned"

            def test_another(sslauth):
                sslauth.assert_authentic(load_encoder("org/tiny"))
            """
        )
        result = project.runpytest()
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines([f"*but sslauth.toml pins 'here' to {pinned}*"])

    def test_a_history_that_was_rewritten_fails_and_names_both_commits(
        self, project: pytest.Pytester, remote: HubServer
    ) -> None:
        gone, files = remote.head("org/tiny"), remote.files("org/tiny")
        now = remote.create("org/tiny", files | {"note.txt": b"x"})
        project.makepyfile(ONE_TEST)
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines([f"NOT CHECKED: here: *{gone}*'main' is now {now}*"])
