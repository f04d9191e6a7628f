"""What a check ran on: versions and device, for reports and for questions that stay open."""

import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version

import torch

from hf_integration.encoders.interface import Encoder

LIBRARIES = ("pytest-sslauth", "torch", "transformers", "tokenizers", "numpy", "pillow")


@cache
def library_versions() -> dict[str, str]:
    """Versions of the libraries that take part in an embedding."""
    versions = {}
    for library in LIBRARIES:
        try:
            versions[library] = version(library)
        except PackageNotFoundError:
            versions[library] = "not installed"
    return versions


def environment_of(encoder: Encoder) -> dict[str, str]:
    """Versions, device and instruction set of a check, plain strings."""
    return {
        **library_versions(),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "device": str(encoder.device),
        "cpu": torch.backends.cpu.get_cpu_capability(),
    }
