"""``python -m tests.reference``: write what is generated into the pages of ``docs/reference``."""

from tests.reference.pages import ROOT, pages, renewed
from tests.reference.sections import SECTIONS

if __name__ == "__main__":
    for page in pages():
        before = page.read_text("utf-8")
        after = renewed(before, SECTIONS)
        page.write_text(after, "utf-8")
        print(f"{page.relative_to(ROOT)}: {'unchanged' if after == before else 'written'}")
