"""One small encoder with one stamp for the whole folder: nothing here may change them."""

import pytest

from hf_integration.base.progress import Silent
from hf_integration.encoders.running.torch_encoder import TorchEncoder
from hf_integration.serving.stamping import make_stamp
from hf_integration.stamps.stamp import Stamp
from tests.serving.conftest import Opened, opened, saved
from tests.threads import one_thread

__all__ = ["one_thread", "opened", "saved"]

LONG = {"positions": 1024, "length": 512}
"""Settings with which the encoder takes long texts."""


@pytest.fixture(scope="session")
def stamped(opened: Opened) -> TorchEncoder:
    """What the index was made with."""
    return opened(**LONG, dense=48)


@pytest.fixture(scope="session")
def stamp(stamped: TorchEncoder) -> Stamp:
    """Its stamp."""
    return make_stamp(stamped, progress=Silent(), seed=3)
