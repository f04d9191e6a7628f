"""The Hub under test."""

from tests.hub_server.fixtures import hub, hub_here

__all__ = ["hub", "hub_here"]
