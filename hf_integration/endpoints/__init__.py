"""Endpoints: the client that asks somebody's embedding server for embeddings.

The server is not trusted: its answers are bounded in size and time, read strictly, and quoted with care. What
it does wrong is an :class:`~hf_integration.base.errors.EndpointError`, and never a guess at what it meant.
"""

from hf_integration.base.vocabulary import APIS, Api
from hf_integration.endpoints.address import Address
from hf_integration.endpoints.answers import Answers, Wire
from hf_integration.endpoints.endpoint import Endpoint
from hf_integration.endpoints.patience import Patience

__all__ = ["APIS", "Address", "Answers", "Api", "Endpoint", "Patience", "Wire"]
