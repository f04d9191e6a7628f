"""A server that answers every embedding client of the registries, each in its own form."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

EMBEDDING = [0.25, 0.5, 0.75, 1.0]


def answer(path: str, asked: Any) -> Any:
    """What a real server of that route answers, as far as the clients read it."""
    texts = asked.get("input") or asked.get("texts") or asked.get("inputs")
    count = len(texts) if isinstance(texts, list) else 1
    rows = [EMBEDDING] * count
    if path.endswith("/v2/embed"):  # Cohere, by type
        return {"id": "1", "embeddings": {"float": rows}, "texts": texts, "meta": {}}
    if path.endswith("/embed"):  # Cohere's first version
        return {"id": "1", "embeddings": rows, "texts": texts, "response_type": "embeddings_floats"}
    if path.endswith("/embeddings"):  # OpenAI, and Voyage after it
        data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(rows)]
        usage = {"prompt_tokens": 1, "total_tokens": 1}
        return {"object": "list", "data": data, "model": asked["model"], "usage": usage}
    return rows  # Hugging Face


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        refused = "refused" in str(asked.get("model"))
        said = {"message": "no such model"} if refused else answer(self.path, asked)
        content = json.dumps(said).encode()
        self.send_response(404 if refused else 200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


@contextmanager
def embedding_server() -> Iterator[str]:
    """Its URL, while it answers."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()
