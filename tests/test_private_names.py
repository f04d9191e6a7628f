"""Private names of libraries that are used here: if one is gone after an upgrade, this says which."""

import ast
from importlib import import_module
from pathlib import Path

import pytest
import tomlkit

ROOT = Path(__file__).parents[1]

KNOWN = {
    "_pytest.fixtures.TopRequest",
    "huggingface_hub._tree_cache.TreeCacheEntry",
    "huggingface_hub._tree_cache.write_tree_cache",
    "huggingface_hub.utils._validators.validate_repo_id",
    "torch.nn.modules.batchnorm._BatchNorm",
    "torch.overrides._get_current_function_mode_stack",
    "torch.utils._device.DeviceContext",
    "torch.utils._pytree.tree_any",
    "torch.utils._pytree.tree_map",
    "torch.utils._python_dispatch._get_current_dispatch_mode_stack",
}


def imported() -> dict[str, str]:
    """Private name of a library -> the file that imports it."""
    found: dict[str, str] = {}
    for top in ("hf_integration", "pytest_sslauth"):
        for file in (ROOT / top).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
                names = [f"{module}.{alias.name}" for alias in getattr(node, "names", ()) if module]
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                for name in names:
                    parts = name.split(".")
                    ours = parts[0] in ("hf_integration", "pytest_sslauth", "__future__")
                    if not ours and any(part.startswith("_") for part in parts):
                        found[name] = str(file.relative_to(ROOT))
    return found


def test_these_are_all_that_are_imported() -> None:
    assert set(imported()) == KNOWN


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_it_is_still_there(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    assert hasattr(import_module(module), attribute), f"{name} is gone; {imported()[name]} needs another way"


def test_tomlkit_still_has_its_private_way_to_insert_after_a_key() -> None:
    used = (ROOT / "hf_integration/checking/pins/editing.py").read_text("utf-8")
    assert "_insert_after" in used
    assert callable(tomlkit.document()._insert_after)
