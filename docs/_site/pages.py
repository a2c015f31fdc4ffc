"""What goes into the site: pages at their places in the repository, equations as MathML, and links."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(Path(__file__).parent))
from mathml import in_markdown  # noqa: E402

SHOWN = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/*.md", "docs/api/*.md", "docs/decisions/*.md",
         "docs/_site/*.css", "benchmarks/results/*.md", "benchmarks/results/*.svg", "models/*/README.md")
"""Files of the repository that are pages or pictures of the site."""
_UNDESCRIBED = re.compile(r"\s*–\s*(?:<div class=\"doc-md-description\">\s*</div>\s*)?(?=</li>)")
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<to>[^)\s#]+)(?P<part>#[^)\s]*)?\)")


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Take every shown file under its path in the repository, in place of what stands in docs/ alone."""
    theirs = [file for file in files if file.src_dir != config.docs_dir]
    paths = sorted(path for pattern in SHOWN for path in ROOT.glob(pattern))
    ours = [File(path.relative_to(ROOT).as_posix(), str(ROOT), config.site_dir, config.use_directory_urls)
            for path in paths]
    return Files([*theirs, *ours])


def on_page_markdown(markdown: str, page: Any, files: Files, **_: Any) -> str:
    """Equations, and links: a folder means its README, and code that the site does not show stays text."""
    here = (ROOT / page.file.src_uri).parent

    def link(found: re.Match[str]) -> str:
        text, to, part = found["text"], found["to"], found["part"] or ""
        if "://" in to:
            return found[0]
        target = (here / to).resolve()
        if not target.exists():
            return found[0]  # a broken link: --strict says so
        if target.is_dir():
            target, to = target / "README.md", f"{to.rstrip('/')}/README.md"
        shown = target.is_relative_to(ROOT) and files.get_file_from_path(target.relative_to(ROOT).as_posix())
        return f"[{text}]({to}{part})" if shown else text

    return in_markdown(_LINK.sub(link, markdown))


def on_page_content(html: str, **_: Any) -> str:
    """A parameter that its type explains has no description: then no dash waits for one."""
    return _UNDESCRIBED.sub("", html)
