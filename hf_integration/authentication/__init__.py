"""Authentication: does this encoder still reproduce the watermark of its card?"""

from hf_integration.authentication.authenticator import Authentication, Authenticator, authenticate
from hf_integration.authentication.reconstruction import Reconstruction, observe_sketches, reconstruct

__all__ = [
    "Authentication",
    "Authenticator",
    "Reconstruction",
    "authenticate",
    "observe_sketches",
    "reconstruct",
]
