"""text-embeddings-inference and Ollama with all-MiniLM-L6-v2, as their maintainers recorded them.

Texts that were recorded get the recorded answers. All others get what transformers alone computes in float32
as these servers do; ``tests/real_servers/test_recorded.py`` holds that against the recordings. Routes,
statuses and messages are those of text-embeddings-inference 1.9.3 (``router/src/http``) and of Ollama
(``server/routes.go``), and numbers have as many digits as serde_json and Go's encoding/json print.
"""

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
import transformers
from torch import Tensor

from tests.endpoints.server import EmbeddingServer, in_base64
from tests.hub_server.messages import Reply, Request

Server = Literal["tei", "ollama"]

FILE = Path(__file__).parents[1] / "serving" / "recorded" / "minilm_servers.json"
LENGTH = 256
"""Tokens at which both cut: ``max_seq_length`` of the encoder's folder, and ``num_ctx`` of Ollama's model."""

MOST_TOKENS = 512
"""Positions that the encoder has."""

Embed = Callable[[list[str]], Tensor]
"""From texts to embeddings that are pooled and not scaled: float32 ``(n, 384)``."""


@cache
def recordings() -> Mapping[str, Mapping[str, Any]]:
    """The recordings by the first word or two of what answered: ``router``, ``Ollama``."""
    found = json.loads(FILE.read_text("utf-8"))["recordings"]
    names = ("router", "candle", "flash", "Ollama")
    return {name: next(one for one in found if name in one["server"]) for name in names}


def computed(folder: Path, server: Server, weights: Mapping[str, Tensor] | None = None) -> Embed:
    """How a server computes, by transformers alone.

    Args:
        folder: of the encoder.
        server: both approximate GELU by tanh; Ollama's file holds matrices in float16.
        weights: other weights by their names, behind the door.
    """
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModel.from_pretrained(
        folder, dtype=torch.float32, hidden_act="gelu_pytorch_tanh"
    ).eval()
    if weights is not None:
        model.load_state_dict(weights, strict=False)
    if server == "ollama":
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and "token_type" not in name:
                parameter.data = parameter.data.half().float()
    lock = threading.Lock()

    def embed(texts: list[str]) -> Tensor:
        with lock, torch.no_grad():
            tokens = tokenizer(texts, padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")
            hidden = model(**tokens).last_hidden_state
            mask = tokens["attention_mask"][..., None].float()
            pooled: Tensor = (hidden * mask).sum(dim=1) / mask.sum(dim=1)
            return pooled

    return embed


def written(server: Server, number: float) -> str:
    """A float32 number as a server prints it: the fewest digits that name it, and exponents where they do."""
    value, size = np.float32(number), abs(float(np.float32(number)))
    # ryu changes to exponents below 1e-5, and Go below 1e-6; neither prints one for the numbers in between
    if size != 0 and size < (1e-5 if server == "tei" else 1e-6):
        return np.format_float_scientific(value, unique=True, trim="-", exp_digits=1)
    return np.format_float_positional(value, unique=True, trim="0" if server == "tei" else "-")


class RecordedServer(EmbeddingServer):
    """One of the servers on a free port.

    Args:
        server: which.
        folder: of the encoder.
        weights: other ones behind the door, which answer recorded texts as well.
        longest: tokens that a text may have without ``truncate``.
    """

    def __init__(
        self, server: Server, folder: Path, weights: Mapping[str, Tensor] | None = None, longest: int = LENGTH
    ) -> None:
        super().__init__(server, lambda _: [])
        self.server, self.longest = server, longest
        self._computed = computed(folder, server, weights)
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        self._recorded = {} if weights is not None else _recorded(server)

    def rows(self, texts: list[str], width: int | None = None, *, scale: bool = True) -> Tensor:
        """Embeddings; of texts that were recorded so, those that were recorded."""
        known = self._recorded.get((width, scale), {})
        whole = self._recorded.get((None, False), {})
        rows = self._computed(texts)
        for place, text in enumerate(texts):
            rows[place] = whole.get(text, rows[place])
        rows = rows[:, :width]
        if scale:  # what is left of an embedding
            rows = torch.nn.functional.normalize(rows, dim=1)
        for place, text in enumerate(texts):
            rows[place] = known.get(text, rows[place])
        return rows

    def _right(self, request: Request) -> Reply:
        routes = _ROUTES[self.server]
        if (request.method, request.path) not in routes:
            return Reply(404)
        try:
            asked = request.json() if request.method == "POST" else {}
        except ValueError:
            return Reply(400 if self.server == "ollama" else 415)
        try:
            return routes[request.method, request.path](self, asked)
        except _RefusedError as error:
            return error.reply

    def texts(self, asked: Any, field: str, *, cut: bool) -> list[str]:
        """The texts of a request, if the server takes them.

        Raises:
            _RefusedError: it does not.
        """
        inputs = asked.get(field)
        texts = [inputs] if isinstance(inputs, str) else inputs
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise _RefusedError(self.server, "data did not match any variant of untagged enum", "Validation")
        if self.server == "ollama":
            return self._of_a_context(texts, cut=cut)
        if not all(texts) or not texts:
            raise _RefusedError("tei", "`inputs` cannot be empty", "Empty")
        if len(texts) > 32:
            reason = f"batch size {len(texts)} > maximum allowed batch size 32"
            raise _RefusedError("tei", reason, "Validation")
        for text in texts:
            count = len(self._tokenizer(text, truncation=False, verbose=False)["input_ids"])
            if count > self.longest and not cut:
                reason = f"`inputs` must have less than {self.longest} tokens. Given: {count}"
                raise _RefusedError("tei", reason, "Validation")
        return texts

    def _of_a_context(self, texts: list[str], *, cut: bool) -> list[str]:
        counts = [len(self._tokenizer(text, truncation=False, verbose=False)["input_ids"]) for text in texts]
        if max(counts, default=0) > LENGTH and not cut:
            raise _RefusedError("ollama", "input length exceeds maximum context length", "")
        return texts

    def tokens(self, text: str, *, special: bool) -> list[dict[str, Any]]:
        """The tokens of a text as ``/tokenize`` gives them."""
        found = self._tokenizer(text, add_special_tokens=special, return_offsets_mapping=True)
        ids = self._tokenizer.all_special_ids
        names = self._tokenizer.convert_ids_to_tokens(found["input_ids"])
        return [
            {"id": token, "text": name, "special": token in ids}
            | {"start": None if token in ids else start, "stop": None if token in ids else stop}
            for token, name, (start, stop) in zip(
                found["input_ids"], names, found["offset_mapping"], strict=True
            )
        ]


class _RefusedError(Exception):
    """A request that is refused, as the server words it."""

    def __init__(self, server: Server, reason: str, kind: str, status: int | None = None) -> None:
        super().__init__(reason)
        status = status or TEI_STATUSES.get(kind, 400)
        self.reply = Reply.of(refusal(server, reason, kind), status)


TEI_STATUSES = {"Validation": 422, "Tokenizer": 422, "Backend": 424, "Overloaded": 429, "Empty": 400}
"""Of errors; releases before 1.7 answered 413 to what they call a validation."""


def refusal(server: Server, reason: str, kind: str) -> dict[str, str]:
    """The body of an error."""
    return {"error": reason, "error_type": kind} if server == "tei" else {"error": reason}


def _recorded(server: Server) -> dict[tuple[int | None, bool], dict[str, Tensor]]:
    """Recorded answers: how many dimensions, ``None`` for all, and whether scaled -> text -> embedding."""
    names = {"candle": (None, False), "router": (128, True)} if server == "tei" else {"Ollama": (None, True)}
    found = {}
    for name, way in names.items():
        one = recordings()[name]
        found[way] = dict(zip(one["texts"], torch.tensor(one["embeddings"]), strict=True))
    return found


def _json(server: Server, rows: Tensor) -> str:
    lists = (",".join(written(server, number) for number in row) for row in rows.tolist())
    return "[" + ",".join(f"[{numbers}]" for numbers in lists) + "]"


def _reply(body: str) -> Reply:
    return Reply(200, body.encode(), {"Content-Type": "application/json"})


def _cut(asked: Mapping[str, Any]) -> int | None:
    dimensions = asked.get("dimensions")
    if dimensions is None:
        return None
    if not 0 < dimensions <= 384:
        reason = "`dimensions` should be smaller than the maximum embedding dimension."
        raise _RefusedError("tei", reason, "Validation")
    return int(dimensions)


def _embed(server: RecordedServer, asked: Any) -> Reply:
    texts = server.texts(asked, "inputs", cut=asked.get("truncate") is True)
    scale = asked.get("normalize") is not False
    return _reply(_json("tei", server.rows(texts, _cut(asked), scale=scale)))


def _openai(server: RecordedServer, asked: Any) -> Reply:
    try:
        texts = server.texts(asked, "input", cut=True)  # --auto-truncate is on
        rows = server.rows(texts, _cut(asked))
    except _RefusedError as error:
        said, status = json.loads(error.reply.body), error.reply.status
        return Reply.of({"message": said["error"], "code": status, "type": said["error_type"]}, status)
    if asked.get("encoding_format") == "base64":
        numbers: Sequence[str] = [json.dumps(in_base64(row)) for row in rows.tolist()]
    else:
        numbers = [_json("tei", rows[place : place + 1])[1:-1] for place in range(len(rows))]
    entries = ",".join(
        f'{{"object":"embedding","embedding":{number},"index":{place}}}'
        for place, number in enumerate(numbers)
    )
    model, usage = json.dumps(asked.get("model") or ABOUT["model_id"]), '{"prompt_tokens":8,"total_tokens":8}'
    return _reply(f'{{"object":"list","data":[{entries}],"model":{model},"usage":{usage}}}')


def _tokenize(server: RecordedServer, asked: Any) -> Reply:
    special = asked.get("add_special_tokens", True)
    texts = server.texts(asked, "inputs", cut=True)
    return Reply.of([server.tokens(text, special=special) for text in texts])


def _ollama(server: RecordedServer, asked: Any) -> Reply:
    if asked.get("model") not in ("all-minilm", "all-minilm:latest"):
        return Reply.of({"error": f'model "{asked.get("model")}" not found, try pulling it first'}, 404)
    texts = server.texts(asked, "input", cut=asked.get("truncate") is not False)
    rows = _json("ollama", server.rows(texts, asked.get("dimensions")))
    beside = '"total_duration":14143917,"load_duration":1019500,"prompt_eval_count":8'
    return _reply(f'{{"model":"{asked["model"]}","embeddings":{rows},{beside}}}')


ABOUT = {
    "model_id": "sentence-transformers/all-MiniLM-L6-v2",
    "model_sha": None,
    "model_dtype": "float32",
    "served_model_name": "sentence-transformers/all-MiniLM-L6-v2",
    "model_type": {"embedding": {"pooling": "mean"}},
    "max_concurrent_requests": 512,
    "max_input_length": LENGTH,
    "max_batch_tokens": 16384,
    "max_batch_requests": None,
    "max_client_batch_size": 32,
    "auto_truncate": True,
    "tokenization_workers": 2,
    "version": "1.9.3",
    "sha": "0d124dc9773be6ac5a9a57d8439aba9bbbf33273",
    "docker_label": None,
}
"""``GET /info`` of text-embeddings-inference."""

SHOWN = {
    "modelfile": "FROM all-minilm",
    "parameters": "num_ctx                        256",
    "details": {
        "parent_model": "",
        "format": "gguf",
        "family": "bert",
        "families": ["bert"],
        "parameter_size": "23M",
        "quantization_level": "F16",
    },
    "model_info": {
        "general.architecture": "bert",
        "general.file_type": 1,
        "bert.context_length": 512,
        "bert.embedding_length": 384,
        "bert.pooling_type": 1,
        "tokenizer.ggml.tokens": None,
    },
    "capabilities": ["embedding"],
    "modified_at": "2025-11-01T00:00:00Z",
}
"""``POST /api/show`` of Ollama."""

_ROUTES: Mapping[Server, Mapping[tuple[str, str], Callable[[RecordedServer, Any], Reply]]] = {
    "tei": {
        ("POST", "/embed"): _embed,
        ("POST", "/v1/embeddings"): _openai,
        ("POST", "/tokenize"): _tokenize,
        ("GET", "/info"): lambda _server, _asked: Reply.of(ABOUT),
        ("GET", "/health"): lambda _server, _asked: Reply(200),
    },
    "ollama": {
        ("POST", "/api/embed"): _ollama,
        ("POST", "/api/show"): lambda _server, _asked: Reply.of(SHOWN),
    },
}
