"""A Hugging Face Hub over real HTTP for the real client, which can also misbehave."""

from tests.hub_server.faults import Fault
from tests.hub_server.server import HubServer

__all__ = ["Fault", "HubServer"]
