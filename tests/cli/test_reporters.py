"""A reporter is one entry of ``REPORTERS``: the command, its help and the documentation follow."""

from pathlib import Path

from tests.cli.conftest import finish, start

NEW = """
import sys
from hf_integration.report import REPORTERS, Reporter

class Shout(Reporter):
    def render(self, verdict):
        return verdict.status.upper()

REPORTERS["shout"] = Shout
"""
COMMAND = f"{NEW}from hf_integration.cli import main; sys.exit(main(sys.argv[1:]))"
REFERENCE = (
    f"{NEW}from tests.reference import sections; print(sections.common_options(), sections.commands())"
)

ROW = "| `--format {}` | {}, or quiet: one word. | `human` |"
WITHOUT = ROW.format("human or json or quiet", "human, json")
WITH = ROW.format(
    "human or json or quiet or html or sarif or gitlab or shout", "human, json, html, sarif, gitlab, shout"
)


def test_a_new_one_renders_the_verdict(here: Path) -> None:
    ended = finish(start("verify", here / "tiny", "--card", "cards/tiny", "--format", "shout", code=COMMAND))
    assert (ended.status, ended.out) == (0, "AUTHENTIC\n")


def test_it_is_documented_for_the_command_of_verdicts_alone() -> None:
    reference = finish(start(code=REFERENCE)).out
    assert reference.count(WITHOUT) == reference.count(WITH) == 1
    assert WITH in reference.partition("## sslauth verify")[2].partition("\n## ")[0]


def test_commands_whose_result_is_no_verdict_do_not_take_it(here: Path) -> None:
    ended = finish(start("mint", here / "tiny", "--format", "shout", code=COMMAND))
    assert ended.status == 2
    assert "'shout' is not one of 'human', 'json', 'quiet'" in ended.err
