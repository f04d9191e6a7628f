"""The session fixture ``sslauth``: checks that a test makes itself."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pytest_sslauth.checks import Checks
from pytest_sslauth.current_test import CurrentTest
from pytest_sslauth.failure import MisuseError
from pytest_sslauth.marker import CheckRequest, sslauth
from pytest_sslauth.outcome import Outcome
from pytest_sslauth.stamps import NAME as SNAPSHOT_NAME

if TYPE_CHECKING:
    from torch import nn

    from hf_integration.encoders import Encoder
    from hf_integration.stamps.likeness import Likeness
    from hf_integration.stamps.stamp import Stamp
    from hf_integration.verdict import Verdict
    from pytest_sslauth.endpoints import AuthenticEndpoint


class SSLAuth:
    """Authenticates encoders in tests.

    Relative paths start at rootdir. If a check cannot be made (a missing card, a damaged file, no network),
    the test fails, just as it does for an altered encoder. With ``--sslauth-missing=skip`` it is skipped if
    that is only because this machine is offline or an extra is not installed.

    ``except Exception`` does not catch what is raised; a bare ``except:`` does, just as it catches
    ``pytest.fail``. The marker ``sslauth`` is checked outside the test's code, which can do nothing about it.

    Args:
        checks: gives the checks with the settings of the test that runs.
        current: the test that runs, on whose report the evidence goes.
    """

    def __init__(self, checks: Callable[[], Checks], current: CurrentTest) -> None:
        self._get_checks = checks
        self._current = current

    @property
    def _checks(self) -> Checks:
        return self._get_checks()

    def authenticate(
        self,
        encoder: "str | os.PathLike[str] | Encoder | nn.Module",
        *,
        processor: Any = None,
        revision: str | None = None,
        card: str | None = None,
        precision: str | None = None,
    ) -> "Verdict":
        """Check an encoder and give the verdict, whatever it is: the caller looks at ``verdict.status``.

        Args:
            encoder: folder, Hub repo id, an encoder of ``hf_integration``, a transformers model, or a known
                container around one: ``SentenceTransformer``, ``CrossEncoder``, ``pipeline``, compiled.
            processor: tokenizer or processor of a model; what has its own needs none.
            revision: branch, tag or commit of a Hub repo.
            card: folder or Hub repo id of the card; by default looked up in ``sslauth_cards``.
            precision: arithmetic of the check.

        Returns:
            The verdict.

        Raises:
            NotAuthenticError: no verdict could be reached; what ``pytest.fail`` raises.
        """
        with self._current.noting():
            outcome, _ = self._check(encoder, processor, revision, card, precision, lend=False)
            self._current.record(outcome)
            if outcome.verdict is None:
                raise self._current.refusal([outcome])
            self._current.found(outcome.verdict.status, outcome.failure)
            return outcome.verdict

    def assert_authentic(
        self,
        encoder: "str | os.PathLike[str] | Encoder | nn.Module",
        *,
        processor: Any = None,
        revision: str | None = None,
        card: str | None = None,
        precision: str | None = None,
    ) -> "Encoder":
        """Fail the test unless the encoder is authentic; the arguments are those of :meth:`authenticate`.

        Returns:
            The encoder that was checked, its ``verdict`` set.

        Raises:
            NotAuthenticError: altered, inconclusive, or not checked; what ``pytest.fail`` raises.
        """
        with self._current.noting():
            checked = self._check(encoder, processor, revision, card, precision, lend=True)
            handed = self._current.demand(*checked)
            if isinstance(encoder, str | os.PathLike):
                self._current.handed(handed)
            return handed

    def assert_endpoint(
        self,
        encoder: "str | os.PathLike[str]",
        endpoint: bool | str = True,
        *,
        revision: str | None = None,
        card: str | None = None,
        api: str | None = None,
        model: str | None = None,
        key_env: str | None = None,
        serving: str | None = None,
        dimensions: int | None = None,
        by_card: bool | None = None,
        keys: int | None = None,
    ) -> "AuthenticEndpoint":
        """Fail the test unless the encoder that is meant answers behind an endpoint.

        The server is asked fresh key samples, and its answers are held against a trusted copy. What is left
        out is taken from the copy's entry in ``sslauth.toml``. An endpoint is asked once in a session.

        Args:
            encoder: the trusted copy: a name in ``sslauth.toml``, a folder, or a Hub repo id.
            endpoint: URL of the server; ``True`` for the one of the entry.
            revision: branch, tag or commit of the copy.
            card: folder or Hub repo id of the card that the copy has to fit.
            api: how the server is spoken to, by default ``openai``.
            model: the model to ask it for.
            key_env: environment variable that holds its key.
            serving: name of the recipe that it is expected to follow, such as ``tei``.
            dimensions: how many dimensions to ask for.
            by_card: hold the answers against what the card says of deployments; no weights are needed then.
            keys: number of key samples, one request each; by default 64.

        Returns:
            A client that embeds, with the ``verdict``.

        Raises:
            NotAuthenticError: altered, inconclusive, or not checked; what ``pytest.fail`` raises.
        """
        with self._current.noting():
            try:
                request = sslauth(
                    encoder,  # type: ignore[arg-type]  # paths are taken as well
                    revision=revision,
                    card=card,
                    endpoint=endpoint,
                    api=api,
                    model=model,
                    key_env=key_env,
                    serving=serving,
                    dimensions=dimensions,
                    by_card=by_card,
                    keys=keys,
                )
            except (TypeError, ValueError) as error:
                raise MisuseError(f"sslauth: {error}; nothing was checked") from None
            if request.endpoint is None:
                raise MisuseError("sslauth: endpoint is empty; nothing was checked")
            return self._current.demand(*self._checks.of_endpoint(request))

    def assert_model_card(self, repo: str, *, revision: str | None = None) -> "Verdict":
        """Fail the test unless a Hub repository passes by the card it publishes itself.

        Every claim of its model card is checked. Only the repository vouches for that card, which is worth
        nothing against whoever can change the repository: without ``--sslauth-accept-self-asserted`` this
        always fails, and the failure says what was found.

        Args:
            repo: Hub repo id; never a local folder.
            revision: branch, tag or commit.

        Returns:
            The verdict, with the claims.

        Raises:
            NotAuthenticError: altered, inconclusive, or not checked; what ``pytest.fail`` raises.
        """
        with self._current.noting():
            outcome = self._checks.of_model_card(self._request(repo, revision, None, None))
            return self._current.demand(outcome, outcome.verdict)

    def assert_stamp(
        self, stamp: "str | os.PathLike[str] | Stamp", embed: object, *, accept: float = 0.0
    ) -> "Likeness":
        """Fail the test unless texts are embedded as the index of a stamp was.

        Args:
            stamp: a file that ``sslauth stamp`` wrote, or the line in it, as an index's metadata holds it.
            embed: a function from a list of texts to one embedding for each, or an object with a method
                ``encode``, ``embed_documents`` or ``embed``.
            accept: distance up to which embeddings are taken for the same, besides what runtimes differ by.

        Returns:
            What was found.

        Raises:
            NotAuthenticError: another recipe, a near encoder, another space, or not checked; what
                ``pytest.fail`` raises.
        """
        with self._current.noting():
            return self._current.demand(*self._checks.stamps.of_file(stamp, embed, accept))

    def assert_same_embeddings(self, embed: object, name: str, *, accept: float = 0.0) -> "Likeness":
        """Fail the test unless texts are embedded as in the snapshot of this name.

        The snapshot is a stamp in ``sslauth_stamps/NAME.json``. It says that something embeds as it did, on
        this machine and on others, and not that this is authentic. A test never writes it: where it is
        missing or differs, the failure names the command that accepts what is embedded now.

        Args:
            embed: a whole pipeline, or the client of an API: a function from a list of texts to one embedding
                for each, or an object with a method ``encode``, ``embed_documents`` or ``embed``.
            name: of the snapshot: letters, digits, ``_``, ``-`` and ``.``.
            accept: distance up to which embeddings are taken for the same, besides what runtimes differ by.

        Returns:
            What was found.

        Raises:
            NotAuthenticError: another recipe, a near encoder, another space, no snapshot, or not checked;
                what ``pytest.fail`` raises.
        """
        with self._current.noting():
            if not isinstance(name, str) or not SNAPSHOT_NAME.fullmatch(name):
                raise MisuseError(f"sslauth: a snapshot cannot be called {name!r}; nothing was checked")
            return self._current.demand(*self._checks.stamps.of_snapshot(name, embed, accept))

    def _check(
        self,
        encoder: object,
        processor: Any,
        revision: str | None,
        card: str | None,
        precision: str | None,
        *,
        lend: bool,
    ) -> "tuple[Outcome, Encoder | None]":
        named = isinstance(encoder, str | os.PathLike)
        request = self._request(encoder if named else type(encoder).__name__, revision, card, precision)
        if not named:
            if revision is not None:
                raise MisuseError(
                    "sslauth: an encoder in memory has no revision to choose; nothing was checked"
                )
            return self._checks.of_object(encoder, processor, request)
        if processor is not None:
            raise MisuseError("sslauth: processor= goes with a torch module only; nothing was checked")
        if lend:
            return self._checks.hand_over(request, self._current.name)
        return self._checks.of_name(request), None

    def _request(
        self, encoder: Any, revision: str | None, card: str | None, precision: str | None
    ) -> CheckRequest:
        try:
            return sslauth(encoder, revision=revision, card=card, precision=precision)
        except (TypeError, ValueError) as error:
            raise MisuseError(f"sslauth: {error}; nothing was checked") from None


class AuthenticEncoders:
    """Hands out encoders that were found authentic, to fixtures of every scope.

    Args:
        sslauth: makes the checks.
    """

    def __init__(self, sslauth: SSLAuth) -> None:
        self._sslauth = sslauth

    def __call__(
        self,
        encoder: "str | os.PathLike[str]",
        *,
        revision: str | None = None,
        card: str | None = None,
        precision: str | None = None,
    ) -> "Encoder":
        """Check an encoder and hand it out; it is compared again before each test that uses the fixture.

        A test that asks for the fixture by ``request.getfixturevalue`` gets it as it then is.

        Args:
            encoder: a name in ``sslauth.toml``, a folder, or a Hub repo id.
            revision: branch, tag or commit of a Hub repo.
            card: folder or Hub repo id of the card; by default looked up in ``sslauth_cards``.
            precision: arithmetic of the check.

        Raises:
            NotAuthenticError: altered, inconclusive, or not checked; what ``pytest.fail`` raises.
        """
        return self._sslauth.assert_authentic(encoder, revision=revision, card=card, precision=precision)
