"""A token is refused where it could only be quoted, and no output ever holds one."""

import random
from collections.abc import Callable
from pathlib import Path

import huggingface_hub
import pytest

import hf_integration
from hf_integration.cli import entry
from hf_integration.cli.streams import HIDDEN, without_tokens
from tests.cli.conftest import Ended, Published

Run = Callable[..., Ended]

SECRET = "hf_" + "NobodyMaySeeThis"
MALFORMED = {
    "line break": f"hf_Nobody\n{SECRET[9:]}",
    "line break at the end": f"{SECRET}\n",
    "space": f"hf_Nobody {SECRET[9:]}",
    "tab": f"\t{SECRET}",
    "control": f"{SECRET}\x1b[2J",
    "delete": f"{SECRET}\x7f",
    "letter": f"{SECRET}\u00e9",
    "no-break space": f"{SECRET}\u00a0",
}
CLEANED_BY_THE_CLIENT = ("line break", "line break at the end", "tab", "no-break space")


def tells(text: str) -> bool:
    return "MaySee" in text or "hf_Nobody" in text


@pytest.fixture(autouse=True)
def traceback_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSLAUTH_TRACEBACK", "1")
    monkeypatch.setenv("HF_TOKEN", "")  # also restores it, as commands set it
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)


@pytest.mark.parametrize("token", MALFORMED.values(), ids=MALFORMED)
def test_a_token_that_is_none_is_refused_without_being_quoted(
    sslauth: Run, published: Published, token: str
) -> None:
    published.hub.requests.clear()
    for command in (("verify", "org/tiny"), ("add", "org/tiny"), ("publish", "cards/tiny", "org/tiny")):
        ended = sslauth(*command, "--token", token)
        assert (ended.status, ended.out) == (2, "")
        assert "--token is no token: it holds white space, control or non-ASCII characters" in ended.err
        assert not tells(ended.err)
    assert published.hub.requests == []


@pytest.mark.parametrize("variable", ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"])
@pytest.mark.parametrize("kind", MALFORMED)
def test_a_variable_of_the_environment_is_named(
    sslauth: Run, published: Published, monkeypatch: pytest.MonkeyPatch, variable: str, kind: str
) -> None:
    monkeypatch.setenv(variable, MALFORMED[kind])
    ended = sslauth("verify", "org/tiny")
    assert not tells(ended.out + ended.err)
    if kind in CLEANED_BY_THE_CLIENT:
        assert ended.status == 3  # the card is self-asserted; the token did no harm
    else:
        assert (ended.status, ended.out) == (2, "")
        assert f"error: {variable} is no token" in ended.err


def test_an_empty_token_is_refused(sslauth: Run, published: Published) -> None:
    ended = sslauth("verify", "org/tiny", "--token", "")
    assert (ended.status, ended.out) == (2, "")
    assert "--token is empty" in ended.err


@pytest.mark.parametrize("token", [SECRET, MALFORMED["line break"], MALFORMED["letter"]])
def test_neither_tracebacks_nor_errors_hold_a_token(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], token: str
) -> None:
    def job() -> int:
        try:
            raise ValueError(f"Illegal header value {f'Bearer {token}'.encode()!r}")
        except ValueError as error:
            raise RuntimeError(f"not sent: {token}") from error

    monkeypatch.setattr(entry, "_parse", lambda _: job)
    monkeypatch.setenv("HF_TOKEN", token)
    assert entry.main([]) == 70
    err = capfd.readouterr().err
    assert "Traceback" in err
    assert "Illegal header value" in err
    assert not tells(err)


def test_a_token_that_nobody_named_is_hidden_by_its_looks() -> None:
    text = f"x b'Bearer abc def' y\nnext line; {SECRET}, the end"
    assert without_tokens(text) == "x b'Bearer [token]\nnext line; [token], the end"


def test_a_text_without_one_stays_as_it_is() -> None:
    text = Path(__file__).read_text().replace("hf_", "").replace("Bearer", "")
    assert without_tokens(text) == text


LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def test_whatever_has_the_form_of_a_token_is_hidden_wherever_it_is() -> None:
    draw = random.Random(0)  # noqa: S311  # nobody logs in with these
    tokens = ["hf_" + "".join(draw.choices(LETTERS, k=34)) for _ in range(200)]
    tokens += [
        f"hf_{kind}_" + "".join(draw.choices(LETTERS + "_.-", k=80)) for kind in ("oauth", "jwt", "app")
    ]
    for token in tokens:
        for text in (token, f"'{token}'", f"token={token},", f"https://user:{token}@host/x", f"({token})\n"):
            assert token[10:] not in without_tokens(text)
            assert HIDDEN in without_tokens(text)


def test_names_of_code_and_files_are_no_tokens() -> None:
    root = Path(hf_integration.__file__).parent
    modules = [".".join(file.relative_to(root.parent).with_suffix("").parts) for file in root.rglob("*.py")]
    names = [str(file) for file in root.rglob("*.py")] + modules
    names += [f"hf_hub.{name}" for name in dir(huggingface_hub)]
    names += [name for name in dir(huggingface_hub) if name.startswith("hf_")]
    assert len(names) > 300
    assert [name for name in names if without_tokens(name) != name] == []
