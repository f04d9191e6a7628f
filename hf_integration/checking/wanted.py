"""What a caller or an entry of ``sslauth.toml`` says about an endpoint, before anything is read or asked."""

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from hf_integration.base.errors import UsageError
from hf_integration.base.text import quoted
from hf_integration.base.vocabulary import APIS

if TYPE_CHECKING:
    from hf_integration.endpoints import Address

HOW_TO_SPEAK = ("api", "model", "key_env")
EXPECTED = ("serving", "dimensions", "by_card")


@dataclass(frozen=True, kw_only=True)
class EndpointWanted:
    """An endpoint as it is named; ``None`` stands for what was left out.

    Attributes:
        url: where it is.
        api: the API that it speaks; by default ``openai``.
        model: the model to ask it for.
        key_env: environment variable that holds its key.
        serving: name of the recipe that it is expected to follow.
        dimensions: how many dimensions to ask for.
        by_card: hold the answers against what the card says, without the weights.
        keys: number of fresh key samples to ask.
        confidence: with which it is said what share of requests may have gone unnoticed.
        spread: time over which the requests are spread at random, such as ``10m``; here in seconds.
    """

    url: str | None = None
    api: str | None = None
    model: str | None = None
    key_env: str | None = None
    serving: str | None = None
    dimensions: int | None = None
    by_card: bool | None = None
    keys: int | None = None
    confidence: float | None = None
    spread: float | None = None

    def address(self) -> "Address":
        """Where it is, and how it is spoken to.

        Raises:
            UsageError: there is no URL, or something makes no sense.
        """
        if self.url is None:
            raise UsageError("no endpoint is named", remedy="give its URL")
        from hf_integration.endpoints import Address

        return Address(
            url=self.url,
            api=self.api or APIS[0],  # type: ignore[arg-type]  # which is refused unless it is one of them
            model=self.model,
            key_variable=self.key_env,
            dimensions=self.dimensions,
        )

    def completed(self, pinned: "EndpointWanted | None", *, entry: str) -> "EndpointWanted":
        """With what an entry says besides.

        What is expected of the encoder holds for every server of it, and is not to be contradicted. How the
        entry's own server is spoken to, its key above all, is not for another URL.

        Args:
            pinned: what the entry says; ``None`` if it says nothing of an endpoint.
            entry: what to call the entry.

        Raises:
            UsageError: the caller names no URL and the entry has none, or they contradict each other.
        """
        if pinned is None:
            if self.url is None:
                raise UsageError(
                    f"{entry} names no endpoint", remedy="give its URL, or write an [encoders.NAME.endpoint]"
                )
            return self
        said, known = asdict(self), asdict(pinned)
        for name in EXPECTED:
            if None not in (said[name], known[name]) and said[name] != known[name]:
                raise UsageError(
                    f"{name} {quoted(str(said[name]))} contradicts {entry}, whose endpoint has {known[name]}",
                    remedy="leave it out, or change the entry",
                )
        own = self.url in (None, pinned.url)
        taken: dict[str, Any] = {
            name: value
            for name, value in known.items()
            if said[name] is None and (own or name not in HOW_TO_SPEAK)
        }
        return replace(self, **taken)
