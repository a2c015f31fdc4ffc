"""Docstrings of ours as Markdown: the few roles of reStructuredText that they use, and their equations."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from griffe import Extension

sys.path.insert(0, str(Path(__file__).parent))
from mathml import display, inline

_MATH = re.compile(r":math:`(.+?)`", re.S)
_ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc|obj):`(~?)([\w.]+)`")
_BLOCK = re.compile(r"^(?P<indent>[ ]*)\.\. math::[ ]*(?P<first>[^\n]*)\n"
                    r"(?P<rest>(?:[ ]*\n|(?P=indent)[ ]+[^\n]*\n?)*)", re.M)
_LITERAL = re.compile(r"^(?P<lead>[^\n]*?):{2}\n(?P<body>(?:[ ]*\n|[ ]{4,}[^\n]*\n?)+)", re.M)


def as_markdown(text: str) -> str:
    """``text`` with roles as code or MathML, and literal blocks as fenced code."""
    text = _BLOCK.sub(lambda found: _block(found), text)
    text = _MATH.sub(lambda found: inline(found.group(1).replace("\n", " ")), text)
    text = _ROLE.sub(lambda found: f"`{found.group(2).rpartition('.')[2] if found.group(1) else found.group(2)}`", text)
    return _LITERAL.sub(lambda found: _literal(found), text)


def _block(found: re.Match[str]) -> str:
    indent = found["indent"]
    latex = " ".join(line.strip() for line in [found["first"], *found["rest"].splitlines()])
    return f"{indent}{display(latex).strip()}\n\n"


def _literal(found: re.Match[str]) -> str:
    if not found["body"].strip():
        return found[0]
    lead = found["lead"].rstrip()
    body = found["body"].strip("\n")
    lead = f"{lead}:" if lead else lead
    return f"{lead}\n\n```text\n{_dedent(body)}\n```\n\n"


def _dedent(text: str) -> str:
    lines = text.splitlines()
    margin = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    return "\n".join(line[margin:] for line in lines)


class Docstrings(Extension):
    """Rewrites every docstring before mkdocstrings reads its sections."""

    def on_instance(self, *, obj: Any, **_: Any) -> None:
        """Called by griffe once for each object that it has loaded."""
        if obj.docstring is not None:
            obj.docstring.value = as_markdown(obj.docstring.value)
