"""An embedding server over real HTTP that speaks any of the APIs, and can also misbehave."""

import base64
import ssl
import struct
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from hf_integration.endpoints import Api
from tests.hub_server.faults import Fault
from tests.hub_server.messages import Reply, Request
from tests.hub_server.serving import Port

Embed = Callable[[list[str]], Sequence[Sequence[float]]]

MODEL = "org/tiny"
ROUTES: Mapping[Api, str] = {
    "openai": "/v1/embeddings",
    "tei": "/embed",
    "ollama": "/api/embed",
    "llamacpp": "/embedding",
    "cohere": "/v2/embed",
    "hf": f"/models/{MODEL}/pipeline/feature-extraction",
}
"""Written out here, and not taken from the client: both must agree with the documentation."""

TEXTS: Mapping[Api, str] = {
    "openai": "input",
    "tei": "inputs",
    "ollama": "input",
    "llamacpp": "content",
    "cohere": "texts",
    "hf": "inputs",
}
MOST: Mapping[Api, int] = {
    "openai": 2048,
    "tei": 32,
    "ollama": 10_000,
    "llamacpp": 10_000,
    "cohere": 96,
    "hf": 32,
}


class EmbeddingServer:
    """A server on a free port of this machine, within a ``with`` block.

    Args:
        api: that it speaks.
        embed: from texts to embeddings.
        key: that it asks for, or ``None``.
        base64: whether it ignores ``encoding_format`` and answers with base64, as the API ``openai`` may.
        tls: with the certificate that it shows; without one it speaks plain HTTP.

    Attributes:
        requests: what came in, in order.
        faults: rules of misbehaviour; the first that strikes a request decides about it.
    """

    def __init__(
        self,
        api: Api,
        embed: Embed,
        *,
        key: str | None = None,
        base64: bool = False,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.api, self.embed, self.key, self.base64 = api, embed, key, base64
        self.requests: list[Request] = []
        self.faults: list[Fault] = []
        self._lock = threading.Lock()
        self._port = Port("embeddings", self._answer, tls)

    def __enter__(self) -> Self:
        self._port.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._port.stop()

    @property
    def url(self) -> str:
        return self._port.url

    @property
    def failures(self) -> list[str]:
        """Tracebacks of defects of this server, which clients saw as status 500."""
        return self._port.failures

    def _answer(self, request: Request) -> Reply:
        with self._lock:
            self.requests.append(request)
        for fault in self.faults:
            if fault.strikes(request):
                return fault.behaviour(request, lambda: self._right(request))
        return self._right(request)

    def _right(self, request: Request) -> Reply:
        if self.key is not None and request.headers.get("authorization") != f"Bearer {self.key}":
            return Reply.of(self._error("no such key", "unauthorized"), 401)
        if request.method == "POST" and request.path == ROUTES[self.api]:
            return self._embeddings(request.json())
        described = DESCRIPTIONS.get(self.api)
        if described and (request.method, request.path) == described[0]:
            return Reply.of(described[1])
        return Reply.of(self._error("not found", "not_found"), 404)

    def _embeddings(self, asked: dict[str, Any]) -> Reply:
        texts = asked[TEXTS[self.api]]
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            return Reply.of(self._error("texts are a list of strings", "validation"), 422)
        if len(texts) > MOST[self.api]:
            return Reply.of(self._error(f"batch size {len(texts)} > {MOST[self.api]}", "validation"), 413)
        rows = [[float(number) for number in row] for row in self.embed(texts)]
        width = asked.get("output_dimension" if self.api == "cohere" else "dimensions")
        return Reply.of(self._shaped([row[:width] for row in rows], asked))

    def _shaped(self, rows: list[list[float]], asked: dict[str, Any]) -> Any:
        """Embeddings in the shape of the API, with what real servers send beside them."""
        match self.api:
            case "openai":
                entries = [
                    {
                        "object": "embedding",
                        "embedding": in_base64(row) if self.base64 else row,
                        "index": index,
                    }
                    for index, row in enumerate(rows)
                ]
                usage = {"prompt_tokens": 8, "total_tokens": 8}
                return {"object": "list", "data": entries, "model": asked.get("model"), "usage": usage}
            case "ollama":
                beside = {"total_duration": 14143917, "load_duration": 1019500, "prompt_eval_count": 8}
                return {"model": asked["model"], "embeddings": rows, **beside}
            case "llamacpp":
                return [{"index": index, "embedding": [row]} for index, row in enumerate(rows)]
            case "cohere":
                assert (asked["input_type"], asked["embedding_types"]) == ("search_document", ["float"])
                billed = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 8}}
                return {"id": "1", "embeddings": {"float": rows}, "texts": asked["texts"], "meta": billed}
            case _:
                return rows

    def _error(self, message: str, kind: str) -> Any:
        """An error as servers of this API word it."""
        match self.api:
            case "openai" | "llamacpp":
                return {"error": {"message": message, "type": kind, "param": None, "code": None}}
            case "tei":
                return {"error": message, "error_type": kind}
            case "cohere":
                return {"id": "1", "message": message}
            case _:
                return {"error": message}


def in_base64(row: Sequence[float]) -> str:
    """Numbers as OpenAI sends them: little-endian float32 in base64."""
    return base64.b64encode(struct.pack(f"<{len(row)}f", *row)).decode()


DESCRIPTIONS: Mapping[Api, tuple[tuple[str, str], Any]] = {
    "openai": (
        ("GET", "/v1/models"),
        {
            "object": "list",
            "data": [
                {"id": "other", "object": "model", "created": 1, "owned_by": "somebody"},
                {
                    "id": MODEL,
                    "object": "model",
                    "created": 1700000000,
                    "owned_by": "vllm",
                    "root": "/models/tiny",
                },
            ],
        },
    ),
    "tei": (
        ("GET", "/info"),
        {
            "model_id": MODEL,
            "model_sha": "0" * 40,
            "model_dtype": "float16",
            "model_type": {"embedding": {"pooling": "cls"}},
            "max_concurrent_requests": 512,
            "max_input_length": 512,
            "max_client_batch_size": 32,
            "version": "1.8.0",
            "docker_label": None,
        },
    ),
    "ollama": (
        ("POST", "/api/show"),
        {
            "license": "MIT\n" * 1000,
            "modelfile": "FROM x",
            "details": {
                "format": "gguf",
                "family": "bert",
                "families": ["bert"],
                "parameter_size": "23M",
                "quantization_level": "F16",
            },
            "model_info": {"general.architecture": "bert", "tokenizer.ggml.tokens": None},
            "modified_at": "2025-01-01T00:00:00Z",
        },
    ),
    "llamacpp": (
        ("GET", "/props"),
        {
            "default_generation_settings": {"n_ctx": 512},
            "total_slots": 1,
            "model_path": "/models/tiny.gguf",
            "build_info": "b5000-abcdef",
        },
    ),
}
"""Route and answer by which the servers describe themselves."""
