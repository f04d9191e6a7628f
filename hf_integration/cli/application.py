"""The commands, put together. Nothing heavy is imported until a command runs."""

from typing import Annotated, Any

import typer

from hf_integration.cli.commands import add as adding
from hf_integration.cli.commands import adopt as adopting
from hf_integration.cli.commands import baseline as baselining
from hf_integration.cli.commands import bom as listing
from hf_integration.cli.commands import bundle as bundling
from hf_integration.cli.commands import check_attestation as attestation_checking
from hf_integration.cli.commands import check_baseline as baseline_checking
from hf_integration.cli.commands import check_stamp as stamp_checking
from hf_integration.cli.commands import convert as converting
from hf_integration.cli.commands import demo as demonstrating
from hf_integration.cli.commands import history as remembering
from hf_integration.cli.commands import identify as identifying
from hf_integration.cli.commands import inspect as inspecting
from hf_integration.cli.commands import lock as locking
from hf_integration.cli.commands import mint as minting
from hf_integration.cli.commands import publish as publishing
from hf_integration.cli.commands import review as reviewing
from hf_integration.cli.commands import sign as signing
from hf_integration.cli.commands import stamp as stamping
from hf_integration.cli.commands import stress as stressing
from hf_integration.cli.commands import verify as verifying
from hf_integration.cli.commands import watch as watching
from hf_integration.cli.options import Job

EXIT_STATUSES = """\b
Exit statuses:
  0    authentic, an alteration that sslauth.toml waives, or done
  1    the encoder was altered, or attested to be, or another one answers than a stamp or a baseline holds;
       nothing else ever ends with 1
  2    wrong usage, bad local input, or an output that could not be written
  3    inconclusive: offline, no access, no card, a card nobody else vouches for
  4    damaged evidence: a card that was edited, is not the pinned one, or is not signed by the signer;
       an encoder that its publisher did not sign; an attestation of other files; a stale pin
  70   internal error
  130  interrupted"""

EXAMPLES = """\b
Examples:
  sslauth demo
  sslauth add ORG/NAME
  sslauth adopt loaded.json
  sslauth verify NAME
  sslauth convert ORG/NAME --out NAME
  sslauth mint ORG/NAME --revision COMMIT --out cards/NAME
  sslauth verify ORG/NAME --revision COMMIT --card cards/NAME --picture check.png
  sslauth verify ./my-encoder --format json --output verdict.json
  sslauth watch NAME --history checks.db --every 1h --endpoint URL --api tei
  sslauth history checks.db
  sslauth inspect cards/NAME
  sslauth bom --out encoders.cdx.json
  sslauth sign cards/NAME --key key.pem
  sslauth check-attestation NAME.svr.json --key key.pub
  sslauth bundle ORG/NAME --card cards/NAME --out NAME-bundle
  sslauth stress ORG/NAME --card cards/NAME
  sslauth stamp NAME --out stamp.json
  sslauth check-stamp stamp.json --endpoint http://localhost:8080 --api tei
  sslauth publish cards/NAME ORG/NAME"""

STREAMS = """Results go to standard output, or with --output to a file; progress and messages to standard
error. 'sslauth COMMAND --help' says what its JSON holds. An error is one line on standard error; if
there is no result, there is no JSON either."""


def command() -> Any:
    """The whole command line, as an object that parses arguments into a job."""
    app = typer.Typer(
        name="sslauth",
        add_completion=False,
        no_args_is_help=True,
        # plain text: the same in a terminal, a pipe and a log, and half the start-up time of boxes
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback(epilog="\n\n".join([EXAMPLES, STREAMS, EXIT_STATUSES]))(_top)
    for function, module in (
        (adding.add, adding),
        (adopting.adopt, adopting),
        (converting.convert, converting),
        (minting.mint, minting),
        (verifying.verify, verifying),
        (identifying.identify, identifying),
        (watching.watch, watching),
        (remembering.history, remembering),
        (inspecting.inspect, inspecting),
        (attestation_checking.check_attestation, attestation_checking),
        (listing.bom, listing),
        (signing.sign, signing),
        (bundling.bundle, bundling),
        (stressing.stress, stressing),
        (stamping.stamp, stamping),
        (stamp_checking.check_stamp, stamp_checking),
        (baselining.baseline, baselining),
        (baseline_checking.check_baseline, baseline_checking),
        (publishing.publish, publishing),
        (reviewing.review, reviewing),
        (locking.lock, locking),
        (demonstrating.demo, demonstrating),
    ):
        app.command(epilog=module.EPILOG)(function)
    return typer.main.get_command(app)


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"sslauth {version('pytest-sslauth')}")
        except PackageNotFoundError:
            typer.echo("sslauth, run from a source tree that is not installed")
        raise typer.Exit


def _top(
    version: Annotated[  # noqa: ARG001  # its callback does it all
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version.")
    ] = False,
) -> Job | None:
    """Authenticate pre-trained encoders with a fragile watermark (SSL-Auth).

    'mint' makes a watermark card from an encoder you trust. 'verify' tells whether an encoder is still
    that one, as it runs: weights, tokenizer or processor, and the code in between.
    """
    return None
