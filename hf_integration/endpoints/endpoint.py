"""A server that is asked: requests of a bounded size, sent again where that helps; answers read strictly."""

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hf_integration.base import strict_json
from hf_integration.base.errors import EndpointError, FlawError, RequestRefusedError, UsageError
from hf_integration.endpoints.address import Address
from hf_integration.endpoints.answers import Answers, Wire, most_bytes, most_values, to_array
from hf_integration.endpoints.exchange import Question, Reply
from hf_integration.endpoints.keys import shown
from hf_integration.endpoints.line import Line
from hf_integration.endpoints.patience import Patience, retry_after
from hf_integration.endpoints.refusals import ABSENT, BUSY, is_html, refusal, start_of

MOST_OF_A_DESCRIPTION = 4 << 20
"""Bytes that a server may say about itself: gateways list hundreds of models."""

MOST_VALUES_OF_A_DESCRIPTION = 200_000

PATIENCE_FOR_A_DESCRIPTION = 10.0
"""Seconds for what a server says of itself, which decides nothing."""

_CHECK = "check the URL and --api, and any proxy on the way"


def _to_nobody(_: object) -> None:
    """Do nothing."""


class Endpoint:
    """An embedding server, to be asked in a ``with`` block.

    The server is taken for hostile. What it answers is bounded in bytes and in seconds, parsed strictly and
    checked number by number; its strings are shown escaped, cut, and without the key. Requests are sent one
    after another, and again after statuses 429, 500, 502, 503 and 504 and after broken connections.

    Args:
        address: of the server.
        patience: how long it may take, and how often it is asked again.
        say: is given a line before each pause, and a warning if the key travels in the open.

    Raises:
        UsageError: the key's variable is not set, or the environment names an unusable proxy or CA bundle.
    """

    def __init__(
        self, address: Address, *, patience: Patience | None = None, say: Callable[[str], None] = _to_nobody
    ) -> None:
        self.address = address
        self._patience = patience or Patience()
        self._say = say
        self._key = address.key()
        self._line = Line(self._key)
        self._sent = 0
        if self._key is not None and address.in_the_open:
            say(f"{address.route}: the key in {self._key.variable} travels unencrypted: the URL is not https")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()

    def embed(
        self, texts: Sequence[str], *, per_request: int = 1, may_refuse: Collection[int] = ()
    ) -> Answers:
        """Ask for the embeddings of texts.

        Args:
            texts: at least one.
            per_request: how many of them share a request, unless the API allows fewer.
            may_refuse: places of texts that the server may refuse, if each has a request of its own: many do
                not cut texts that are too long.

        Returns:
            The embeddings, in the order of the texts.

        Raises:
            UsageError: no texts, or none for each request.
            EndpointError: the server cannot be reached, refuses, takes too long, or answers with something
                else than one embedding for each text, all of one width.
        """
        if not texts or per_request < 1:
            raise UsageError(
                "nothing to ask an endpoint for", remedy="give texts, and at least 1 per request"
            )
        size = min(per_request, self.address.dialect.most_texts)
        groups = [texts[place : place + size] for place in range(0, len(texts), size)]
        return self.embed_groups(groups, may_refuse=may_refuse if size == 1 else ())

    def embed_groups(
        self,
        groups: Sequence[Sequence[str]],
        *,
        may_refuse: Collection[int] = (),
        before: Callable[[int], object] = _to_nobody,
    ) -> Answers:
        """Ask for the embeddings of texts that share a request as the caller says.

        Args:
            groups: the texts of each request, none empty.
            may_refuse: places of groups that the server may refuse.
            before: is called with the place of each group before it is sent, and may wait; the server's
                patience does not begin before that.

        Returns:
            The embeddings in the order of the texts; ``refused`` holds places of groups.

        Raises:
            EndpointError: as :meth:`embed` does.
        """
        begin, sent = time.monotonic(), self._sent
        end = begin + self._patience.total
        answers, refused = [], []
        for place, texts in enumerate(groups):
            waits = time.monotonic()
            before(place)
            end += time.monotonic() - waits
            try:
                answers.append(self._embedded(texts, end))
            except RequestRefusedError:
                if place not in may_refuse:
                    raise
                refused.append(place)
        if not answers:
            raise self._nonsense("every text was refused")
        wires = {wire for _, wire in answers}
        widths = sorted({rows.shape[1] for rows, _ in answers})
        if len(widths) > 1:
            raise self._nonsense(f"embeddings of {widths[0]} and of {widths[-1]} numbers")
        if len(wires) > 1:
            raise self._nonsense("some embeddings are lists of numbers and some are base64")
        if self.address.dimensions not in (None, widths[0]):
            raise EndpointError(
                f"{self.address.route}: the server answered with {widths[0]} dimensions where"
                f" {self.address.dimensions} were asked for",
                remedy="its model cannot choose them: leave them out",
            )
        return Answers(
            embeddings=np.concatenate([rows for rows, _ in answers]),
            wire=wires.pop(),
            requests=self._sent - sent,
            seconds=time.monotonic() - begin,
            refused=tuple(refused),
        )

    def claims(self) -> Mapping[str, str]:
        """What the server says of itself: its model, and how it computes. Nothing of it is verified.

        Returns:
            Values by names of ours, bounded and harmless; none if it has no route for that.

        Raises:
            EndpointError: the server cannot be reached, refuses, takes too long, or answers with no JSON.
        """
        about = self.address.dialect.describes
        if about is None:
            return {}
        body = json.dumps({"model": self.address.model}).encode() if about.posts_model else b""
        method, url = "POST" if about.posts_model else "GET", self.address.beside(about.route)
        question = Question(method, url, body, MOST_OF_A_DESCRIPTION)
        reply = self._answered(question, time.monotonic() + PATIENCE_FOR_A_DESCRIPTION, tries=1)
        if reply.status in ABSENT:
            return {}
        if reply.status != 200:
            raise refusal(reply, url, self.address, self._key)
        said = about.read(self._parsed(reply, url, MOST_VALUES_OF_A_DESCRIPTION), self.address.model)
        plain = {name: value for name, value in said.items() if isinstance(value, (str, int, float))}
        return {name: shown(str(value), self._key) for name, value in plain.items() if value != ""}

    def _embedded(self, texts: Sequence[str], end: float) -> tuple[NDArray[np.float64], Wire]:
        """The embeddings of the texts of one request, shape (n, d), and how they came."""
        address = self.address
        asked = address.dialect.request(texts, model=address.model, dimensions=address.dimensions)
        question = Question("POST", address.route, json.dumps(asked).encode(), most_bytes(len(texts)))
        reply = self._answered(question, end)
        if reply.status != 200:
            raise refusal(reply, address.route, address, self._key)
        values = most_values(len(texts))
        try:
            # no variable holds the answer: a traceback would show it, and a hostile server may echo the key
            return to_array(
                address.dialect.embeddings(self._parsed(reply, address.route, values), len(texts))
            )
        except FlawError as error:
            flaw = str(error)
        raise self._nonsense(flaw)

    def _answered(self, question: Question, end: float, *, tries: int | None = None) -> Reply:
        """The answer to a request, which is sent until one comes that another try would not better.

        Args:
            question: what is asked.
            end: when to give up, on the monotonic clock.
            tries: how often it may be sent, unless as often as patience says.

        Raises:
            EndpointError: none came.
        """
        patience, last = self._patience, f"{question.url}: no time was left to ask"
        most = tries or patience.tries
        for sent in range(1, most + 1):
            left = end - time.monotonic()
            if left <= 0:
                break
            self._sent += 1
            outcome = self._line.ask(question, seconds=min(patience.request, left))
            if isinstance(outcome, Reply):
                if outcome.status not in BUSY:
                    return outcome
                error = refusal(outcome, question.url, self.address, self._key)
                pause = patience.pause(sent, retry_after(outcome.retry_after))
            else:
                error = EndpointError(f"{question.url}: the server {outcome.reason}", remedy=_CHECK)
                if not outcome.transient:
                    raise error
                pause = patience.pause(sent, None)
            last = error.args[0]
            if sent == most:
                raise EndpointError(f"{last}, at the last of {most} tries", remedy=error.remedy)
            if pause >= end - time.monotonic():
                break
            self._say(f"{last}; asking again in {pause:.1f} s (try {sent + 1} of {most})")
            time.sleep(pause)
        raise EndpointError(
            f"{last}; {patience.total:g} seconds were given for all requests", remedy="try again later"
        )

    def _parsed(self, reply: Reply, url: str, values: int) -> Any:
        """The JSON of an answer.

        Raises:
            EndpointError: it is none. The reason holds no key of the JSON, which may be a key of ours.
        """
        try:
            return strict_json.parse(reply.body, most_values=values)
        except FlawError as error:
            reason = error.reason
        if is_html(reply) or reply.kind.lower().startswith("text/"):
            kind = "an HTML page" if is_html(reply) else shown(reply.kind, self._key)
            what = f"is {kind} instead of JSON: {shown(start_of(reply), self._key)}"
        else:
            what = f"cannot be read as JSON: {shown(reason, self._key)}"
        raise EndpointError(f"{url}: the answer {what}", remedy=_CHECK)

    def _nonsense(self, flaw: str) -> EndpointError:
        where, api = self.address.route, self.address.api
        return EndpointError(f"{where}: the answer is not one of the API {api}: {flaw}", remedy=_CHECK)
