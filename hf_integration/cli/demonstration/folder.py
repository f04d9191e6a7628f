"""The folder of a demonstration: made new, and replaced only if a demonstration made it."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from hf_integration.errors import OutputError

MARK = ".made-by-sslauth-demo"


@dataclass(frozen=True)
class DemoFolder:
    """Where everything lies.

    Attributes:
        root: the folder that the user named.
    """

    root: Path

    @property
    def project(self) -> Path:
        """The downstream project with its test, its encoder and its card."""
        return self.root / "project"

    @property
    def encoder(self) -> Path:
        """The project's copy of the encoder: first untouched, later altered."""
        return self.project / "encoder"

    @property
    def card(self) -> Path:
        """The project's card."""
        return self.project / "cards" / "encoder"

    @property
    def pictures(self) -> Path:
        """Pictures of both checks."""
        return self.root / "pictures"

    @property
    def reports(self) -> Path:
        """Verdicts and the output of both test runs."""
        return self.root / "reports"

    def check(self) -> None:
        """Find out whether the folder can be made.

        Raises:
            OutputError: something lies there that no demonstration made.
        """
        root = self.root
        if root.is_symlink() or (root.exists() and not (root / MARK).is_file()):
            raise OutputError(
                f"{root} exists and was not made by 'sslauth demo'", remedy="choose another folder with --out"
            )

    def make(self) -> None:
        """Make the folder, in place of an earlier demonstration's.

        Raises:
            OutputError: it is not the demonstration's to replace, or cannot be written.
        """
        self.check()
        try:
            if self.root.exists():
                shutil.rmtree(self.root)
            self.root.mkdir(parents=True)
            (self.root / MARK).write_text("'sslauth demo' replaces this folder when it runs again.\n")
            for folder in (self.project, self.pictures, self.reports):
                folder.mkdir()
        except OSError as error:
            raise OutputError(f"cannot write {self.root}: {error.strerror or error}") from error
