"""LaTeX as MathML: browsers draw it themselves, so a page needs no script and no fonts from elsewhere."""

from __future__ import annotations

import re

from latex2mathml.converter import convert

_CODE = re.compile(r"(^(?P<fence>`{3,}|~{3,})[^\n]*\n.*?^(?P=fence)[ ]*$|(?P<tick>`+)(?!`).*?(?<!`)(?P=tick)(?!`))",
                   re.M | re.S)
_DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.S)
_INLINE = re.compile(r"(?<![\\$\w])\$(?![\s$])([^$\n]+?)(?<![\s\\])\$(?![\w$])")


_TEXT = re.compile(r">([^<>]+)<")


def display(latex: str) -> str:
    """An equation on a line of its own."""
    return f'\n\n<div class="equation">{_mathml(latex, "block")}</div>\n\n'


def inline(latex: str) -> str:
    """An equation within a sentence. Markdown takes a line that begins with <math> for a paragraph of its own."""
    return f"<span>{_mathml(latex, 'inline')}</span>"


def _mathml(latex: str, style: str) -> str:
    """MathML in which no character means something to Markdown."""
    def masked(found: re.Match[str]) -> str:
        return ">" + re.sub(r"[*_`\[\]|\\]", lambda sign: f"&#{ord(sign[0])};", found[1]) + "<"

    return _TEXT.sub(masked, convert(latex.strip(), display=style))


def in_markdown(text: str) -> str:
    """``text`` with $$...$$ and $...$ outside of code as MathML."""
    parts, last = [], 0
    for found in _CODE.finditer(text):
        parts += [_prose(text[last:found.start()]), found.group(0)]
        last = found.end()
    return "".join([*parts, _prose(text[last:])])


def _prose(text: str) -> str:
    text = _DISPLAY.sub(lambda found: display(found.group(1)), text)
    return _INLINE.sub(lambda found: inline(found.group(1)), text)
