"""A small downstream project with a tiny encoder and its card, for pytest runs inside tests."""

import os
import shutil
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import pytest

ENCODER = "models/tiny"
EDITED = "encoder.layer.1.output.dense.weight"


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``models/tiny`` and ``cards/tiny``, made once."""
    from tests.tiny_cards import save_with_card

    root = tmp_path_factory.mktemp("workshop")
    encoder, card = save_with_card(root / ENCODER, root / "cards" / "tiny")
    _import_all_that_a_check_needs(encoder, card)
    return root


@pytest.fixture(scope="session")
def plugin_path(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """Where pytest finds the entry point when the project is tested without being installed."""
    if any(point.value == "pytest_sslauth.plugin" for point in entry_points(group="pytest11")):
        return None
    folder = tmp_path_factory.mktemp("not-installed")
    metadata = folder / "pytest_sslauth-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pytest-sslauth\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text("[pytest11]\nsslauth = pytest_sslauth.plugin\n")
    return folder


@pytest.fixture
def plugged(
    pytester: pytest.Pytester, plugin_path: Path | None, monkeypatch: pytest.MonkeyPatch
) -> pytest.Pytester:
    """Runs of pytest that find the plugin, in a folder of their own without any encoder.

    The encoders of an ``sslauth.toml`` there are no tests: ``test_collected.py`` is about those.
    """
    if plugin_path is not None:
        paths = [str(plugin_path), str(Path(__file__).parents[2])]
        for path in paths:
            monkeypatch.syspath_prepend(path)
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    pytester.makeini("[pytest]\naddopts = --ignore=sslauth.toml\n")
    return pytester


@pytest.fixture
def project(plugged: pytest.Pytester, workshop: Path) -> pytest.Pytester:
    """The same with ``models/tiny`` and ``cards/tiny``."""
    shutil.copytree(workshop, plugged.path, dirs_exist_ok=True)
    return plugged


@pytest.fixture
def alter_encoder(project: pytest.Pytester) -> Callable[[], str]:
    """Edits one weight of the project's encoder on disk; gives the name of its tensor."""

    def alter() -> str:
        from safetensors.torch import load_file, save_file

        file = project.path / ENCODER / "model.safetensors"
        tensors = load_file(file)
        tensors[EDITED][0, 0] += 0.5
        save_file(tensors, file, metadata={"format": "pt"})
        return EDITED

    return alter


def _import_all_that_a_check_needs(encoder, card) -> None:  # type: ignore[no-untyped-def]
    """Pytest runs in this process forget what they import, and torch cannot be imported twice."""
    import pytest_sslauth.session
    import pytest_sslauth.sslauth  # noqa: F401
    from hf_integration import Authenticator
    from hf_integration.report.pictures import draw_picture

    authentication = Authenticator(card=card).authenticate(encoder)
    assert authentication.verdict.authentic
    draw_picture(authentication, card)
