"""Draw what the example shows once an encoder was altered: ``python -m tests.examples.screenshots``.

The page of ``--sslauth-html``, and the summary of a job of GitHub Actions as any reader of its Markdown
renders it; both in headless Chromium.
"""

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from markdown_it import MarkdownIt
from PIL import Image
from playwright.sync_api import sync_playwright

from tests.examples.alterations import ALTERATIONS
from tests.examples.test_search_service import PROJECT, ROOT, environment, served

SHOWN = "one step of fine-tuning at 1e-6"
STYLE = """body { font: 15px/1.5 system-ui, sans-serif; padding: 1rem; max-width: 60rem; color: #1f2328 }
table { border-collapse: collapse }
th, td { border: 1px solid #d1d9e0; padding: .35rem .75rem; text-align: left }"""


def main() -> None:
    """Alter the search encoder, run the example, and write both pictures into ``docs/images``."""
    with tempfile.TemporaryDirectory() as kept:
        project = Path(kept) / "search-service"
        shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("models", "__pycache__"))
        subprocess.run([sys.executable, "prepare.py"], cwd=project, check=True)
        (alteration,) = (one for one in ALTERATIONS if one.what == SHOWN)
        with served(project, "models/search") as port:
            alteration.apply(project)
            file = project / "sslauth.toml"
            file.write_text(file.read_text().replace("8123", str(port)))
            summary = Path(kept) / "summary.md"
            env = {**environment(), "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
            command = [sys.executable, "-m", "pytest", "--sslauth-html", "page.html"]
            subprocess.run(command, cwd=project, env=env, check=False)
        rendered = MarkdownIt("commonmark").enable("table").render(summary.read_text())
        text = f"<!doctype html><meta charset=utf-8><style>{STYLE}</style>{rendered}"
        (Path(kept) / "summary.html").write_text(text)
        images = ROOT / "docs" / "images"
        with sync_playwright() as browsers:
            browser = browsers.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport={"width": 900, "height": 1000})
            page.goto((project / "page.html").as_uri())
            _keep(page.screenshot(), images / "example-page.png")
            page.goto((Path(kept) / "summary.html").as_uri())
            _keep(page.locator("table").screenshot(), images / "example-summary.png")
            browser.close()


def _keep(data: bytes, file: Path) -> None:
    """Write it in 64 colours, which text does not need more of."""
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGB").quantize(64).save(file, optimize=True)


if __name__ == "__main__":
    main()
