"""Endpoints in tests: marker, fixture and call, against real servers with a tiny encoder behind them."""

from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree

import pytest
from safetensors.torch import load_file, save_file

from tests.endpoints.encoders import serving
from tests.endpoints.server import EmbeddingServer
from tests.plugin.conftest import EDITED

pytest_plugins = ["pytester"]


@pytest.fixture
def server(project: pytest.Pytester) -> Iterator[EmbeddingServer]:
    """Answers with the project's encoder, whatever becomes of the folder later."""
    import pytest_sslauth.endpoints  # noqa: F401  # what it imports cannot be imported twice
    from hf_integration.report import render  # noqa: F401
    from hf_integration.serving import endpoint_check, presets  # noqa: F401

    embed = serving(project.path / "models" / "tiny")
    embed(["loaded"])
    with EmbeddingServer("tei", embed) as server:
        yield server


def pin(folder: Path, server: EmbeddingServer, *lines: str) -> None:
    (folder / "sslauth.toml").write_text(
        "\n".join(
            [
                "version = 1",
                "[encoders.search]",
                'path = "models/tiny"',
                'card = "cards/tiny"',
                "[encoders.search.endpoint]",
                f'url = "{server.url}"',
                'api = "tei"',
                "keys = 16",
                *lines,
                "",
            ]
        )
    )


def asked(server: EmbeddingServer) -> int:
    return sum(request.method == "POST" for request in server.requests)


def test_marker_fixture_and_call_share_one_check(project: pytest.Pytester, server: EmbeddingServer) -> None:
    pin(project.path, server)
    project.makepyfile(
        """
        import pytest

        @pytest.mark.sslauth("search", endpoint=True)
        def test_marked():
            pass

        @pytest.mark.sslauth("search", endpoint=True)
        def test_handed_out(authentic_endpoint):
            assert authentic_endpoint.embed(["the cat", "sea"]).shape == (2, 32)
            assert authentic_endpoint.verdict.status == "authentic"
            assert authentic_endpoint.verdict.deployment.address == authentic_endpoint.url

        @pytest.mark.parametrize("authentic_endpoint", ["search", {"encoder": "search"}], indirect=True)
        def test_parameter(authentic_endpoint):
            assert authentic_endpoint.embed(["the cat"]).shape == (1, 32)

        def test_called(sslauth):
            assert sslauth.assert_endpoint("search").embed(["one", "two"], per_request=1).shape == (2, 32)
        """
    )
    result = project.runpytest("-v")
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines([f"*authentic     search at {server.url}  (*"])
    # one check, two requests for its parameters, and what the tests embedded
    embedded = 1 + 2 + 2
    assert asked(server) == 16 + embedded


def test_the_encoder_and_its_endpoint_are_two_checks(
    project: pytest.Pytester, server: EmbeddingServer
) -> None:
    pin(project.path, server)
    project.makepyfile(
        """
        import pytest

        @pytest.mark.sslauth("search", endpoint=True)
        @pytest.mark.sslauth("search")
        def test_both(authentic_encoder, authentic_endpoint):
            ours = authentic_encoder.embed(["the cat"])
            theirs = authentic_endpoint.embed(["the cat"])
            assert abs(ours.numpy() - theirs).max() < 1e-5
        """
    )
    result = project.runpytest("-v")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines_random(["authentic     search at http*", "authentic     search  (*"])


def test_an_endpoint_needs_no_entry(project: pytest.Pytester, server: EmbeddingServer) -> None:
    project.makepyfile(
        f"""
        def test_called(sslauth):
            sslauth.assert_endpoint(
                "models/tiny", "{server.url}", api="tei", serving="torch", keys=16, card="cards/tiny"
            )
        """
    )
    project.runpytest().assert_outcomes(passed=1)


def test_an_endpoint_by_its_card_needs_no_weights(project: pytest.Pytester, server: EmbeddingServer) -> None:
    """Nobody has the repository here: only its card."""
    project.makepyfile(
        f"""
        import pytest

        @pytest.mark.sslauth("org/tiny", endpoint="{server.url}", api="tei", by_card=True, card="cards/tiny")
        def test_marked(authentic_endpoint):
            assert authentic_endpoint.verdict.card.digest.startswith("sha256:")

        def test_called(sslauth):
            sslauth.assert_endpoint(
                "org/tiny", "{server.url}", api="tei", by_card=True, card="cards/tiny"
            )

        def test_another_recipe(sslauth):
            with pytest.raises(pytest.fail.Exception, match="has no answers of a deployment by this recipe"):
                sslauth.assert_endpoint(
                    "org/tiny", "{server.url}", api="tei", by_card=True, card="cards/tiny", serving="tei"
                )

        def test_by_a_word(sslauth):
            with pytest.raises(pytest.fail.Exception, match="by_card must be True or False, not str"):
                sslauth.assert_endpoint("org/tiny", "{server.url}", by_card="yes", card="cards/tiny")
        """
    )
    result = project.runpytest("-v")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["authentic     tiny at http*"])


ALTERED = """
    import pytest

    @pytest.mark.sslauth("search", endpoint=True)
    def test_marked():
        raise SystemExit("ran")

    @pytest.mark.parametrize("authentic_endpoint", ["search"], indirect=True)
    def test_handed_out(authentic_endpoint):
        raise SystemExit("handed out")

    @pytest.mark.xfail
    def test_called(sslauth):
        try:
            sslauth.assert_endpoint("search")
        except Exception:
            pass
"""


@pytest.mark.parametrize("stated", [True, False])
def test_an_altered_encoder_behind_the_endpoint_fails_every_test(
    stated: bool, project: pytest.Pytester
) -> None:
    import pytest_sslauth.endpoints  # noqa: F401

    altered = copytree(project.path / "models" / "tiny", project.path / "altered")
    tensors = load_file(altered / "model.safetensors")
    tensors[EDITED] = tensors[EDITED].flip(0)  # further than any arithmetic moves embeddings
    save_file(tensors, altered / "model.safetensors", metadata={"format": "pt"})
    embed = serving(altered)
    embed(["loaded"])
    with EmbeddingServer("tei", embed) as server:
        pin(project.path, server, *(['serving = "torch"'] if stated else []))
        project.makepyfile(ALTERED)
        result = project.runpytest("-rA")
        assert asked(server) == 16
    result.assert_outcomes(failed=3)
    status = "ALTERED" if stated else "INCONCLUSIVE - this is not a pass"
    result.stdout.fnmatch_lines([f"*{status}: {server.url}*", "*no known recipe gives these answers*"])
    result.stdout.fnmatch_lines(
        [f"*  source * the server at {server.url}, against 'search' in sslauth.toml*"]
    )


def test_a_server_that_is_not_there_fails_every_test_and_is_asked_once(project: pytest.Pytester) -> None:
    with EmbeddingServer("tei", lambda texts: [[0.0]] * len(texts)) as server:
        pin(project.path, server)
    project.makepyfile(ALTERED)
    result = project.runpytest()
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["*NOT CHECKED: *", "*This is not a pass.*"])


def test_an_altered_copy_is_held_against_nothing(
    project: pytest.Pytester, server: EmbeddingServer, alter_encoder: Callable[[], str]
) -> None:
    alter_encoder()
    pin(project.path, server)
    project.makepyfile(ALTERED)
    result = project.runpytest()
    result.assert_outcomes(failed=3)
    result.stdout.fnmatch_lines(["*the trusted copy *is not the encoder of its card: *"])
    assert asked(server) == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ('mark.sslauth("search", api="tei")', "api is for an endpoint: name its URL, or write endpoint=True"),
        ('mark.sslauth("search", keys=9)', "keys is for an endpoint"),
        ('mark.sslauth("search", endpoint="")', "endpoint is empty"),
        ('mark.sslauth("search", endpoint=7)', "endpoint must be a URL or True, not int"),
        ('mark.sslauth("search", endpoint=True, keys="9")', "keys must be a whole number from 1 on"),
        (
            'mark.sslauth("search", endpoint=True, dimensions=0)',
            "dimensions must be a whole number from 1 on",
        ),
        ('mark.sslauth("search", endpoint=True, serving=7)', "serving must be a string, not int"),
        ('mark.sslauth("search", endpoint=True, precision="float32")', "precision is not for endpoints"),
        ('mark.sslauth("models/tiny", endpoint=True)', "'models/tiny' names no endpoint"),
        ('mark.sslauth("search", endpoint=True, serving="tei")', "serving tei contradicts 'search'"),
        ('mark.sslauth("search", endpoint="http://h?k=1")', "the endpoint's URL holds a query"),
        ('mark.sslauth("models/tiny", endpoint="http://h", serving="x")', "no recipe is called x"),
        ('mark.sslauth("models/tiny", endpoint="http://h", api="x")', "no API is called 'x'"),
        ('mark.sslauth("models/tiny", endpoint="http://h", key_env="NONE")', "NONE"),
    ],
)
def test_what_makes_no_sense_fails_in_one_line(
    call: str, message: str, project: pytest.Pytester, server: EmbeddingServer
) -> None:
    pin(project.path, server, 'serving = "torch"')
    if "models/tiny" in call:  # which the entry names as well
        (project.path / "sslauth.toml").unlink()
    project.makepyfile(f"import pytest\n\n@pytest.{call}\ndef test_marked():\n    pass\n")
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    assert message in result.stdout.str()
    assert "Traceback" not in result.stdout.str()
    assert asked(server) == 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "def test_x(authentic_endpoint): pass",
            "authentic_endpoint does not know which endpoint: mark the test with "
            '@pytest.mark.sslauth("name", endpoint=True)',
        ),
        (
            '@pytest.mark.sslauth("search")\ndef test_x(authentic_endpoint): pass',
            "authentic_endpoint does not know which endpoint",
        ),
        (
            '@pytest.mark.sslauth("search", endpoint=True)\ndef test_x(authentic_encoder): pass',
            "authentic_encoder does not know which encoder",
        ),
        (
            '@pytest.mark.parametrize("authentic_encoder", [{"encoder": "search", "endpoint": True}], '
            "indirect=True)\ndef test_x(authentic_encoder): pass",
            "authentic_encoder hands out encoders; authentic_endpoint is for endpoints",
        ),
    ],
)
def test_a_fixture_that_does_not_know_what_to_hand_out_says_so(
    body: str, message: str, project: pytest.Pytester, server: EmbeddingServer
) -> None:
    pin(project.path, server)
    project.makepyfile(f"import pytest\n\n{body}\n")
    result = project.runpytest()
    result.assert_outcomes(failed=1)
    assert message in result.stdout.str()
