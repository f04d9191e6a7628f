"""What each generated section says."""

import dataclasses
import enum
import inspect
import re
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import Any

from tests.misbehaving.rows import as_markdown
from tests.reference import sources
from tests.reference.markdown import code, items, paragraphs, plain, summary, table
from tests.reference.pages import Sections

_DEFAULT = re.compile(r"\s*\[(?:default: )?([^\[\]]+)\]$")

_CODE = re.compile(r"(?<![\w/.])(?:--[a-z][\w-]*|[\w.]+/NAME\b|[\w-]+\.(?:toml|md|sig)\b|HF_\w+|SSLAUTH_\w+)")
"""What is code wherever it is said."""

COMMON = ("format", "output", "quiet", "token", "cache_dir")
"""Parameters of every command; shown once."""


# the command


def commands() -> str:
    """Every command: what it is for, its arguments and options, and the text below its help."""
    return "\n\n".join(_command(name, found) for name, found in sources.command().commands.items())


def common_options() -> str:
    """The options of every command."""
    return _options([parameter for parameter in _plain_command().params if parameter.name in COMMON])


def _plain_command() -> Any:
    """A command whose result is no verdict, and which so has no formats beside those of every command."""
    return sources.command().commands["mint"]


def top_level() -> str:
    """What ``sslauth --help`` says below the list of commands."""
    return _epilog(sources.command().epilog.partition("\n\n\b\nExit statuses")[0])


def json_of_commands() -> str:
    """The JSON lines of every command's help."""
    found = []
    for name, one in sources.command().commands.items():
        said = re.search(r"JSON: (.*?)(?:\.\s+|\n)Quiet: (.*)", one.epilog, re.DOTALL)
        assert said, f"the help of '{name}' says nothing of its JSON"
        found.append(f"### sslauth {name}\n\n{_json(said[1])}\n\n`--format quiet`: {_named(plain(said[2]))}")
    return "\n\n".join(found)


def exit_statuses() -> str:
    """The statuses as ``sslauth --help`` lists them."""
    text = sources.EXIT_STATUSES.partition("Exit statuses:\n")[2]
    entries = re.findall(r"^  (\d+) +(.*(?:\n {5,}.*)*)", text, re.MULTILINE)
    return table(("status", "meaning"), ((code(number), plain(meaning)) for number, meaning in entries))


def errors() -> str:
    """Every error that is raised on purpose, by the status that it ends with."""
    kinds = [
        kind
        for kind in vars(sources.errors).values()
        if inspect.isclass(kind) and issubclass(kind, sources.SSLAuthError)
    ]
    kinds.sort(key=lambda kind: (kind.exit_status, len(kind.__mro__)))
    rows = (
        (code(str(kind.exit_status)), code(kind.__name__), code(kind.__mro__[1].__name__), _unnumbered(kind))
        for kind in kinds
    )
    return table(("status", "error", "is a", "meaning"), rows)


def _unnumbered(kind: type) -> str:
    return re.sub(r" \(exit status \d+\)", "", summary(kind))


def _command(name: str, found: Any) -> str:
    common = [_row(parameter) for parameter in _plain_command().params if parameter.name in COMMON]
    own = [
        parameter
        for parameter in found.params
        if parameter.name not in COMMON or _row(parameter) not in common
    ]
    arguments = [parameter for parameter in own if parameter.param_type_name == "argument"]
    usage = " ".join(
        ["sslauth", name, "[OPTIONS]", *(_placeholder(parameter) for parameter in arguments)],
    )
    parts = [f"## sslauth {name}", _named(plain(found.help)), f"```text\n{usage}\n```"]
    if arguments:
        rows = [(code(_placeholder(parameter)), _help(parameter)[0]) for parameter in arguments]
        parts.append(table(("argument", "meaning"), rows))
    options = [parameter for parameter in own if parameter.param_type_name == "option"]
    parts += [_options(options)] if options else []
    parts.append(_epilog(found.epilog.partition("JSON: ")[0]))
    return "\n\n".join(parts)


def _placeholder(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _options(options: list[Any]) -> str:
    return table(("option", "meaning", "default"), [_row(option) for option in options])


def _row(option: Any) -> tuple[str, str, str]:
    text, default = _help(option)
    return code(_written(option)), text, default


def _written(option: Any) -> str:
    names = ", ".join(option.opts)
    if option.is_flag:
        return names
    value = option.metavar or "|".join(_choices(option)) or ("N" if "int" in str(_kind(option)) else "TEXT")
    return (
        f"{names} {value.replace('|', ' or ')}"  # a bar in code ends a cell, or is shown with what escapes it
    )


def _choices(option: Any) -> list[str]:
    """What an option may be, where that is a short list."""
    kind = _kind(option)
    found = kind if isinstance(kind, enum.EnumType) else getattr(kind, "choices", ())
    return [str(getattr(choice, "value", choice)) for choice in found or ()]


def _kind(option: Any) -> Any:
    """The type of an option's value; releases of typer keep it in two places."""
    descriptor = getattr(option, "type_descriptor", None)
    return option.type if descriptor is None else descriptor.annotation


def _help(parameter: Any) -> tuple[str, str]:
    """What an option is for, and its default."""
    text = _named(plain(parameter.help or ""))
    if getattr(parameter, "required", False) and parameter.param_type_name == "option":
        return text, "required"
    if match := _DEFAULT.search(text):
        return text[: match.start()], code(match[1])
    default = parameter.default
    shown = "" if default is None or default is False else code(str(default))
    return text, shown


def _epilog(text: str) -> str:
    """The paragraphs below a command's help: examples are code, the rest is text."""
    parts = []
    for part in text.replace("\b\n", "").strip().split("\n\n"):
        head, _, rest = part.partition("\n")
        if head == "Examples:":
            parts.append("```console\n" + "\n".join(line[2:] for line in rest.split("\n")) + "\n```")
        else:
            parts.append(_named(plain(part)))
    return "\n\n".join(part for part in parts if part)


def _named(text: str) -> str:
    """Commands, options and files as code: a help text has quotes or nothing for them."""
    text = re.sub(r"<!-- (\S+) -->", r"`<!-- \1 -->`", text)
    text = re.sub(r"(?<!\w)'([^' ]+|(?:sslauth|hf|--\S*) [^']*)'(?!\w)", r"`\1`", text)
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else _CODE.sub(r"`\g<0>`", part) for part in parts)


def _json(text: str) -> str:
    """The object as code, and the sentences behind it."""
    text = text.strip()
    if not text.startswith("{"):
        return _named(f"The object is {plain(text)}.")
    depths = accumulate((character == "{") - (character == "}") for character in text)
    end = next(place for place, depth in enumerate(depths) if depth == 0)
    behind = plain(text[end + 1 :].lstrip(" ,;."))
    behind = behind[:1].upper() + behind[1:] + ("" if behind.endswith(".") or not behind else ".")
    return f"```text\n{text[: end + 1]}\n```" + (f"\n\n{_named(behind)}" if behind else "")


# pytest


class _Parser:
    """Takes the declarations that pytest's own parser would take."""

    def __init__(self) -> None:
        self.options: list[tuple[str, dict[str, Any]]] = []
        self.ini: list[tuple[str, dict[str, Any]]] = []

    def getgroup(self, *_: str) -> "_Parser":
        return self

    def addoption(self, name: str, **attributes: Any) -> None:
        self.options.append((name, attributes))

    def addini(self, name: str, **attributes: Any) -> None:
        self.ini.append((name, attributes))


def _declared() -> _Parser:
    parser = _Parser()
    sources.plugin.pytest_addoption(parser)  # type: ignore[arg-type]  # asks for no more than this
    return parser


def pytest_options() -> str:
    """Options of pytest's command line."""
    return _declared_table(_declared().options)


def pytest_ini() -> str:
    """Keys of pytest's configuration file."""
    return _declared_table(_declared().ini)


def _declared_table(found: list[tuple[str, dict[str, Any]]]) -> str:
    rows = []
    for name, attributes in found:
        text, default = attributes["help"], ""
        if match := re.search(r"\s*\(default: (.*)\)$", text):
            text, default = text[: match.start()], match[1]
        metavar = attributes.get("metavar", "")
        rows.append((code(f"{name} {metavar}".strip()), text[:1].upper() + text[1:], default))
    return table(("option", "meaning", "default"), rows)


def pytest_marker() -> str:
    """The line of ``pytest --markers``."""
    return f"```text\n@pytest.mark.{sources.marker_line()}\n```"


def pytest_fixtures() -> str:
    """The fixtures and what they say of themselves."""
    rows = []
    for name, value in vars(sources.plugin).items():
        marker = getattr(value, "_fixture_function_marker", None) or getattr(
            value, "_pytestfixturefunction", None
        )
        if marker is not None and not inspect.isclass(value):
            rows.append((code(name), str(marker.scope), summary(inspect.unwrap(value))))
    assert rows, "no fixtures were found: another pytest keeps them elsewhere"
    return table(("fixture", "scope", "meaning"), rows)


def sslauth_methods() -> str:
    """What the fixture ``sslauth`` can be asked."""
    methods = {
        name: value
        for name, value in vars(sources.SSLAuth).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    parts = [paragraphs(sources.SSLAuth)]
    for name, method in methods.items():
        parts += [f"### sslauth.{name}", f"```python\n{_signature(name, method)}\n```", paragraphs(method)]
        arguments = items(method, "Args")
        if arguments:
            parts.append(
                table(
                    ("argument", "meaning"), [(code(key), _sentence(text)) for key, text in arguments.items()]
                )
            )
    return "\n\n".join(parts)


# sslauth.toml


def pins_keys() -> str:
    """Keys of an entry."""
    return _keys(sources.Pin, leave_out=("name", "file"))


def endpoint_keys() -> str:
    """Keys of an endpoint."""
    return _keys(sources.EndpointWanted)


def waiver_keys() -> str:
    """Keys of a waiver."""
    return _keys(sources.Waiver)


def _keys(kind: type, leave_out: tuple[str, ...] = ()) -> str:
    said = items(kind, "Attributes")
    names = [field.name for field in dataclasses.fields(kind) if field.name not in leave_out]
    return table(("key", "meaning"), [(code(name), _sentence(_left_out(said[name]))) for name in names])


def _left_out(text: str) -> str:
    """What is ``None`` in Python is not written in a file."""
    for python, file in (
        ("`None` where", "left out if"),
        ("`None` stands for", "by default"),
        ("`None` for", "by default"),
    ):
        text = text.replace(python, file)
    return text


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


# the verdict


def verdict_json() -> str:
    """The fields of a verdict's JSON."""
    rows = [(code("schema"), "number", "The version of these fields, 1.")]
    return table(("field", "value", "meaning"), rows + list(_fields(sources.Verdict)))


def verdict_parts() -> str:
    """The fields of the objects in it."""
    parts = (
        ("card", sources.CardIdentity),
        ("strips", sources.StripResult),
        ("tensors", sources.TensorEvidence),
        ("files", sources.FileEvidence),
        ("claims", sources.Claim),
        ("publisher", sources.PublisherSignature),
    )
    return "\n\n".join(
        f"### {name}\n\n{summary(kind)}\n\n{table(('field', 'value', 'meaning'), _fields(kind))}"
        for name, kind in parts
    )


def _fields(kind: type) -> Iterator[tuple[str, str, str]]:
    said = items(kind, "Attributes")
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        meaning = said.get(field.name, "").replace("`None`", "`null`")
        yield code(field.name), _json_type(hints[field.name]), _sentence(meaning)


def _json_type(hint: Any) -> str:
    names = {str: "string", bool: "boolean", int: "number", float: "number", types.NoneType: "null"}
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Literal:
        return ", ".join(code(f'"{value}"') for value in arguments)
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_json_type(argument) for argument in arguments)
    if origin is tuple:
        return f"list of {_json_type(arguments[0])}s"
    if origin is not None and issubclass(origin, Mapping):
        return "object"
    return names.get(hint, "object")


# Python


def public_api() -> str:
    """The names of ``hf_integration`` with what they are for."""
    parts = []
    for name, thing in sources.PUBLIC.items():
        parts.append(f"### {name}")
        if inspect.isfunction(thing):
            parts.append(f"```python\n{_signature(name, thing)}\n```")
        parts.append(paragraphs(thing))
        said = items(thing, "Args" if inspect.isfunction(thing) else "Attributes")
        if said and name != "Verdict":  # its fields have a page of their own
            rows = [(code(key), _sentence(text)) for key, text in said.items()]
            parts.append(table(("argument" if inspect.isfunction(thing) else "attribute", "meaning"), rows))
        if inspect.isclass(thing) and (methods := list(_methods(thing))):
            parts.append(table(("method", "meaning"), methods))
    return "\n\n".join(parts)


def _methods(kind: type) -> Iterator[tuple[str, str]]:
    for name, value in vars(kind).items():
        method = getattr(value, "__func__", value)
        if inspect.isfunction(method) and not name.startswith("_"):
            yield code(_signature(name, method)), summary(method)


def _signature(name: str, function: Callable[..., Any]) -> str:
    """Names and defaults; types are written otherwise by every version of Python."""
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=inspect.Parameter.empty)
        for parameter in signature.parameters.values()
        if parameter.name not in ("self", "cls")
    ]
    bare = signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty)
    return f"{name}{bare}"


def rules() -> str:
    """The rules of reports for code hosts."""
    rows = (
        (code(rule.name), code(rule.severity), code(sources.SEVERITIES.get(rule.severity, "")), rule.says)
        for rule in sources.RULES.values()
    )
    return table(("rule", "SARIF", "GitLab", "meaning"), rows)


SECTIONS: Sections = {
    "commands": commands,
    "common options": common_options,
    "top level": top_level,
    "JSON of commands": json_of_commands,
    "exit statuses": exit_statuses,
    "errors": errors,
    "pytest options": pytest_options,
    "pytest ini": pytest_ini,
    "pytest marker": pytest_marker,
    "pytest fixtures": pytest_fixtures,
    "sslauth methods": sslauth_methods,
    "keys of an entry": pins_keys,
    "keys of a waiver": waiver_keys,
    "keys of an endpoint": endpoint_keys,
    "verdict": verdict_json,
    "parts of a verdict": verdict_parts,
    "public API": public_api,
    "rules": rules,
    "misbehaving servers": as_markdown,
}
