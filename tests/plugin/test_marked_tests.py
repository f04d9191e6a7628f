"""Tests with the marker: each encoder is checked before the test, whatever the test does."""

from collections.abc import Callable

import pytest

from tests.plugin.conftest import ENCODER

pytest_plugins = ["pytester"]

MARKED = """
    import pytest

    @pytest.mark.sslauth("models/tiny")
    def test_search():
        pass
"""

TWO_TESTS = """
    import pytest

    pytestmark = pytest.mark.sslauth("models/tiny")

    def test_first():
        pass

    def test_second():
        pass
"""


class TestReport:
    def test_an_authentic_encoder_passes(self, project: pytest.Pytester) -> None:
        project.makepyfile(MARKED)
        project.runpytest("--strict-markers").assert_outcomes(passed=1)

    def test_an_altered_encoder_fails_with_a_brief_report_and_no_traceback(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        tensor = alter_encoder()
        project.makepyfile(test_app=MARKED)
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                "*_ test_search _*",
                "ALTERED: models/tiny",
                f"1 of * tensors changed: {tensor}; the watermark is broken",
                f"  tensors * 1 of * differs: {tensor}",
                "  strips * ===XX  2 of 5 broken, the first is 'layer 2'",
                "  worst * times what is tolerated in strip '*'; margin 0.*, 1 is the edge",
                "  checked * card sha256:* (local), float64, * s",
                f"  points to * one tensor was edited: {tensor}; *",
                "  do next * do not use this encoder*",
                "  source * */models/tiny",
                "  more * run pytest with -v for every strip and digest",
            ],
            consecutive=True,
        )
        result.stdout.fnmatch_lines(
            ["FAILED test_app.py::test_search - NotAuthenticError: ALTERED: models/tiny"]
        )
        result.stdout.no_fnmatch_line("*Traceback*")
        result.stdout.no_fnmatch_line("*pytest_sslauth/*.py*")

    def test_verbose_shows_every_strip_and_digest(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        tensor = alter_encoder()
        project.makepyfile(test_app=MARKED)
        result = project.runpytest("-v")
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(
            [
                "ALTERED: models/tiny",
                "  encoder * models/tiny",
                "  card * sha256:* at */cards/tiny",
                "  trust * local*",
                "  strip * error * tolerance * deviation*",
                "  layer 1 * intact",
                "  layer 2 * BROKEN",
                "tensors that differ, of *: 1",
                f"  {tensor}",
                "what to do next:",
                "  do not use this encoder*",
                "  source: */models/tiny",
            ]
        )

    @pytest.mark.parametrize("verbose", [(), ("-v",)])
    def test_a_second_test_of_the_same_encoder_refers_to_the_first(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str], verbose: tuple[str, ...]
    ) -> None:
        alter_encoder()
        project.makepyfile(
            test_app="""
            import pytest

            @pytest.mark.sslauth("models/tiny")
            def test_marked():
                pass

            def test_asserted(sslauth):
                sslauth.assert_authentic("models/tiny")

            @pytest.mark.sslauth("models/tiny")
            def test_handed_out(authentic_encoder):
                pass
            """
        )
        result = project.runpytest(*verbose)
        result.assert_outcomes(failed=3)
        text = result.stdout.str()
        assert text.count("do not use this encoder") == 1
        assert text.count("\n  reported by test_app.py::test_marked\n") == 2
        assert text.count("\nALTERED: models/tiny\n1 of ") == 3

    def test_another_tokenizer_fails_and_names_the_file(self, project: pytest.Pytester) -> None:
        file = project.path / "models/tiny/tokenizer.json"
        file.write_text(file.read_text().replace('"cat"', '"c@t"'))
        project.makepyfile(MARKED)
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines(["ALTERED: models/tiny", "  settings * differs: tokenizer*"])


class TestPlaces:
    def test_a_marker_on_a_class_or_a_module_counts(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        alter_encoder()
        project.makepyfile(
            test_class="""
                import pytest

                @pytest.mark.sslauth("models/tiny")
                class TestSearch:
                    def test_search(self):
                        pass
            """,
            test_module="""
                import pytest

                pytestmark = pytest.mark.sslauth("models/tiny")

                def test_search():
                    pass
            """,
            test_unittest="""
                import unittest
                import pytest

                @pytest.mark.sslauth("models/tiny")
                class Search(unittest.TestCase):
                    def test_search(self):
                        pass
            """,
        )
        project.runpytest().assert_outcomes(failed=3)

    def test_all_of_several_markers_are_checked(self, project: pytest.Pytester) -> None:
        project.makepyfile(
            """
            import pytest

            @pytest.mark.sslauth("models/absent")
            @pytest.mark.sslauth("models/tiny")
            @pytest.mark.sslauth("models/gone")
            def test_search():
                pass
            """
        )
        result = project.runpytest()
        result.assert_outcomes(failed=1)
        result.stdout.fnmatch_lines_random(["NOT CHECKED: models/absent: *", "NOT CHECKED: models/gone: *"])

    def test_nothing_is_checked_for_a_skipped_test(self, project: pytest.Pytester) -> None:
        project.makepyfile(
            """
            import pytest

            @pytest.mark.skip
            @pytest.mark.sslauth("models/absent")
            def test_search():
                pass
            """
        )
        project.runpytest().assert_outcomes(skipped=1)

    def test_fixtures_are_not_set_up_for_an_altered_encoder(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        alter_encoder()
        project.makepyfile(
            """
            import pathlib
            import pytest

            @pytest.fixture
            def index():
                pathlib.Path("indexed").touch()

            @pytest.mark.sslauth("models/tiny")
            def test_search(index):
                pass
            """
        )
        project.runpytest().assert_outcomes(failed=1)
        assert not (project.path / "indexed").exists()

    def test_relative_paths_start_at_rootdir_wherever_pytest_starts(
        self, project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = project.mkdir("deep")
        file = folder / "test_deep.py"
        project.makepyfile(MARKED).rename(file)
        monkeypatch.chdir(folder)
        project.runpytest(file, "--rootdir", project.path).assert_outcomes(passed=1)


class TestOncePerSession:
    def test_the_same_check_is_made_once(self, project: pytest.Pytester) -> None:
        project.makepyfile(TWO_TESTS)
        project.runpytest("--sslauth-report-dir=out").assert_outcomes(passed=2)
        assert len(list((project.path / "out").glob("*.json"))) == 1

    def test_a_failing_check_is_not_repeated_either(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        alter_encoder()
        project.makepyfile(TWO_TESTS)
        project.runpytest("--sslauth-report-dir=out").assert_outcomes(failed=2)
        assert len(list((project.path / "out").glob("*.json"))) == 1

    def test_a_file_edited_between_two_tests_is_checked_again(
        self, project: pytest.Pytester, alter_encoder: Callable[[], str]
    ) -> None:
        file = project.path / ENCODER / "model.safetensors"
        pristine, edited = file.read_bytes(), project.path / "edited"
        alter_encoder()
        file.rename(edited)
        file.write_bytes(pristine)
        # in place, with the old modification time: size, times of modification and inode stay as they were
        edit = """
        import os, pathlib
        file = pathlib.Path("models/tiny/model.safetensors")
        times = file.stat().st_atime_ns, file.stat().st_mtime_ns
        with file.open("r+b") as handle: handle.write(pathlib.Path("edited").read_bytes())
        os.utime(file, ns=times)
        """
        body = "".join(f"        {line.strip()}\n" for line in edit.strip().splitlines())
        project.makepyfile(TWO_TESTS.replace("        pass\n", body, 1))
        assert edited.stat().st_size == len(pristine)
        result = project.runpytest()
        result.assert_outcomes(passed=1, failed=1)
        result.stdout.fnmatch_lines(["*_ test_second _*", "ALTERED: models/tiny"])


@pytest.mark.parametrize("strict", [True, False])
def test_xfail_does_not_excuse_an_altered_encoder(
    project: pytest.Pytester, alter_encoder: Callable[[], str], strict: bool
) -> None:
    alter_encoder()
    project.makepyfile(
        f"""
        import pytest

        @pytest.mark.xfail(strict={strict})
        @pytest.mark.sslauth("models/tiny")
        def test_search():
            assert False

        @pytest.mark.xfail(strict={strict})
        def test_body(sslauth):
            sslauth.assert_authentic("models/tiny", card="cards/tiny")
        """
    )
    result = project.runpytest()
    result.assert_outcomes(failed=2)
    assert result.ret == 1


def test_a_file_edited_behind_a_link_to_a_folder_is_checked_again(
    project: pytest.Pytester, alter_encoder: Callable[[], str]
) -> None:
    folder = project.path / "models" / "tiny"
    folder.rename(project.path / "real")
    folder.parent.joinpath("tiny").mkdir()
    for file in (project.path / "real").iterdir():
        folder.joinpath(file.name).symlink_to(file)
    (folder / "inner").symlink_to(project.path / "real")
    (folder / "circle").symlink_to(folder)
    from pytest_sslauth.folders import fingerprint

    before = fingerprint([folder])
    assert fingerprint([folder]) == before
    (project.path / "real" / "new").touch()
    assert fingerprint([folder]) != before
