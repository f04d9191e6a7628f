"""SSL-Auth on the Hugging Face stack: mint watermark cards and authenticate encoders.

>>> from hf_integration import WatermarkCard, authenticate, load_encoder
>>> verdict = authenticate(load_encoder("org/encoder"), WatermarkCard.load("cards/encoder"))  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hf_integration.authentication import Authenticator, authenticate
    from hf_integration.card import WatermarkCard
    from hf_integration.encoders import Encoder, load_encoder, wrap_module
    from hf_integration.loading.enforcing import Enforcement, enforce
    from hf_integration.minting import mint
    from hf_integration.stamps.checking import assert_stamp, check_stamp
    from hf_integration.stamps.likeness import Likeness
    from hf_integration.verdict import Verdict

_HOMES = {
    "Authenticator": "authentication",
    "Encoder": "encoders",
    "Enforcement": "loading.enforcing",
    "Likeness": "stamps.likeness",
    "Verdict": "verdict",
    "WatermarkCard": "card",
    "assert_stamp": "stamps.checking",
    "authenticate": "authentication",
    "check_stamp": "stamps.checking",
    "enforce": "loading.enforcing",
    "load_encoder": "encoders",
    "mint": "minting",
    "wrap_module": "encoders",
}

__all__ = [
    "Authenticator",
    "Encoder",
    "Enforcement",
    "Likeness",
    "Verdict",
    "WatermarkCard",
    "assert_stamp",
    "authenticate",
    "check_stamp",
    "enforce",
    "load_encoder",
    "mint",
    "wrap_module",
]


def __getattr__(name: str) -> Any:
    """Import on first use: torch and transformers take seconds, and ``sslauth --help`` needs neither."""
    if name == "errors":  # "except hf_integration.errors.…" has to work after "import hf_integration" alone
        return import_module("hf_integration.errors")
    if name in _HOMES:
        return getattr(import_module(f"hf_integration.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'hf_integration' has no attribute '{name}'")
