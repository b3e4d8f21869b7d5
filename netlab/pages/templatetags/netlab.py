"""Filters for sentences of the error catalogue in HTML. Loaded by templates as `netlab`."""

import re

from django import template
from django.utils.html import conditional_escape
from django.utils.safestring import SafeString, mark_safe

register = template.Library()
TICKS = re.compile(r"`([^`]+)`")


@register.filter
def ticks(sentence: str) -> SafeString:
    """Escaped, with `words` in backticks as code."""
    return mark_safe(TICKS.sub(r"<code>\1</code>", conditional_escape(sentence)))  # noqa: S308 escaped one step before
