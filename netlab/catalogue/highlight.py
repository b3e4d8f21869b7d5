"""Pygments for code blocks: language names as authors write them, classes instead of colours. Used by markdown.py."""

from functools import lru_cache

from pygments import highlight
from pygments.formatters.html import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

ALIASES = {"sh": "bash", "shell": "bash", "bpf": "c", "output": "text", "": "text"}
_formatter = HtmlFormatter(nowrap=True)


@lru_cache
def _lexer(language: str) -> Lexer:
    try:
        return get_lexer_by_name(ALIASES.get(language, language))
    except ClassNotFound:
        return get_lexer_by_name("text")


def highlighted(code: str, language: str) -> str:
    """HTML of a code block's inside: escaped, in spans with Pygments' short classes (static/netlab/code.css)."""
    html: str = highlight(code, _lexer(language), _formatter)
    return html
