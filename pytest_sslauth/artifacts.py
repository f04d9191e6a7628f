"""The files that ``--sslauth-report-dir`` asks for: verdict and picture of each check."""

import re
import warnings
from pathlib import Path

import pytest

from hf_integration.authentication import Authentication
from hf_integration.base.errors import OutputError
from hf_integration.base.output_files import check_own, write_whole
from hf_integration.card import WatermarkCard
from hf_integration.report import JsonReporter
from hf_integration.report.pictures import write_picture


class Artifacts:
    """Writes reports under names that no other check and no other worker uses.

    Args:
        folder: where to write; made when the first report is written.
        worker: id of the pytest-xdist worker, or an empty string.
    """

    def __init__(self, folder: Path, worker: str) -> None:
        self._folder = folder
        self._worker = worker
        self._taken: dict[str, int] = {}

    def write(self, authentication: Authentication, card: WatermarkCard) -> str:
        """Write both files.

        Nothing depends on them, so a full disk is warned about and leaves the verdict as it is.

        Returns:
            For the failure report: where they are, or why they are not.
        """
        stem = self._folder / self._stem(authentication)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            report = JsonReporter().render(authentication.verdict)
            for ending in (".json", ".png"):
                check_own(stem.with_suffix(ending))
            write_whole(stem.with_suffix(".json"), report.encode() + b"\n")
            write_picture(stem.with_suffix(".png"), authentication, card)
        except (OutputError, OSError) as error:
            warnings.warn(pytest.PytestWarning(f"sslauth: no report was written: {error}"), stacklevel=2)
            return f"no report was written: {error}"
        return f"{stem}.json, {stem}.png"

    def _stem(self, authentication: Authentication) -> str:
        """Encoder (without what a file system would obey), card, precision, a count, the worker."""
        verdict = authentication.verdict
        name = re.sub(r"[^\w-]+", "-", Path(verdict.encoder).name, flags=re.ASCII).strip("-")[:60]
        stem = f"{name or 'encoder'}-{verdict.card.digest.rpartition(':')[2][:8]}-{verdict.precision}"
        count = self._taken[stem] = self._taken.get(stem, 0) + 1
        return "-".join(part for part in (stem, str(count) if count > 1 else "", self._worker) if part)
