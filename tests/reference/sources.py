"""Everything that the reference pages are generated from, imported in this one place."""

from typing import Any

import hf_integration
from hf_integration import errors
from hf_integration.checking.pins import Pin, Waiver, read_pins
from hf_integration.checking.wanted import EndpointWanted
from hf_integration.cli.application import EXIT_STATUSES, command
from hf_integration.errors import SSLAuthError, UsageError
from hf_integration.report import colors, pictures
from hf_integration.report.code_hosts import SEVERITIES
from hf_integration.report.results import RULES
from hf_integration.verdict import (
    CardIdentity,
    Claim,
    FileEvidence,
    PublisherSignature,
    StripResult,
    TensorEvidence,
    Verdict,
)
from pytest_sslauth import SSLAuth, plugin
from pytest_sslauth.marker import marker_line

PACKAGES = ("hf_integration", "pytest_sslauth")
"""Folders whose texts are the messages that users meet."""

PUBLIC: dict[str, Any] = {name: getattr(hf_integration, name) for name in hf_integration.__all__}

__all__ = [
    "EXIT_STATUSES",
    "PACKAGES",
    "PUBLIC",
    "RULES",
    "SEVERITIES",
    "CardIdentity",
    "Claim",
    "EndpointWanted",
    "FileEvidence",
    "Pin",
    "PublisherSignature",
    "SSLAuth",
    "SSLAuthError",
    "StripResult",
    "TensorEvidence",
    "UsageError",
    "Verdict",
    "Waiver",
    "colors",
    "command",
    "errors",
    "marker_line",
    "pictures",
    "plugin",
    "read_pins",
]
