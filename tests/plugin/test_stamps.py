"""``sslauth.assert_stamp``: the test fails unless texts are embedded as the index was."""

from pathlib import Path

import pytest

from tests.stamps.test_files import LINE

pytest_plugins = ["pytester"]


@pytest.fixture
def index(plugged: pytest.Pytester) -> pytest.Pytester:
    """A project with a stamp of random numbers beside its index."""
    folder = Path(plugged.mkdir("index"))
    (folder / "stamp.json").write_text(LINE)
    plugged.makeconftest(
        """
        import pytest
        from hf_integration.stamps.stamp import Stamp

        @pytest.fixture
        def right(request):
            stamp = Stamp.load(request.config.rootpath / "index" / "stamp.json")
            return lambda texts: [stamp.embeddings[stamp.texts.index(text)] for text in texts]
        """
    )
    return plugged


def test_the_same_space_passes_by_file_and_by_line(index: pytest.Pytester) -> None:
    index.makepyfile(
        f"""
        from pathlib import Path
        LINE = {LINE!r}

        def test_search(sslauth, right, monkeypatch, tmp_path):
            monkeypatch.chdir(tmp_path)  # a path starts at rootdir
            found = sslauth.assert_stamp("index/stamp.json", right)
            assert (found.status, found.answered) == ("same", 5)
            assert sslauth.assert_stamp(LINE, right) == found
            assert sslauth.assert_stamp(Path("index/stamp.json"), right, accept=0.01) == found
        """
    )
    result = index.runpytest("-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["same space    org/encoder at commit 0*"])


def test_all_else_fails_and_no_except_swallows_it(index: pytest.Pytester) -> None:
    index.makepyfile(
        """
        import pytest
        from contextlib import suppress

        @pytest.mark.parametrize("scale", [2.0, float("nan")])
        def test_recipe(sslauth, right, scale):
            with suppress(Exception):
                sslauth.assert_stamp("index/stamp.json", lambda texts: [row * scale for row in right(texts)])

        def test_space(sslauth, right):
            with suppress(Exception):
                sslauth.assert_stamp("index/stamp.json", lambda texts: [row[::-1] for row in right(texts)])

        @pytest.mark.parametrize("stamp", ["index/missing.json", "{}", 3, None])
        def test_stamp(sslauth, right, stamp):
            with suppress(Exception):
                sslauth.assert_stamp(stamp, right)

        def test_callable(sslauth):
            with suppress(Exception):
                sslauth.assert_stamp("index/stamp.json", lambda texts: 1 / 0)
        """
    )
    result = index.runpytest()
    result.assert_outcomes(failed=8)
    result.stdout.fnmatch_lines_random(
        [
            "ANOTHER RECIPE of the same encoder: the stamp is of org/encoder at commit 0*",
            "scaled by 2",
            "what to do: embed as the index was, or embed the index again and stamp it anew",
            "ANOTHER SPACE: the stamp is of org/encoder at commit 0*",
            "NOT CHECKED: stamp: there is no stamp *missing.json*",
            "NOT CHECKED: stamp: *ZeroDivisionError: division by zero*",
            "another space  org/encoder at commit*",
        ]
    )
