"""The ``sslauth`` command."""

from hf_integration.cli.entry import main

__all__ = ["main"]
