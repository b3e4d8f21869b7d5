"""A step's Markdown -> safe HTML, with the conventions of docs/lab-format.md. Pure; called when a lab is read.

Two walls: markdown-it lets no raw HTML through, and nh3 cuts the result down to the tags and attributes listed here.
What is interactive is marked with data attributes; the front end wires it, the HTML itself does nothing.

    ::: hint Title            <details class="hint"><summary>Title</summary>
    ::: note / ::: task       <aside class="note" / class="task">
    ```c file=xdp.c           <div class="code" data-file="xdp.c"> with a button
    ```sh node=client         <div class="code" data-node="client"> with a button
    `client:eth0`             <code data-end="client:eth0"> when the lab has that interface
"""

import re
from collections.abc import Sequence
from html import escape

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererProtocol
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from mdit_py_plugins.container import container_plugin

from netlab.catalogue.highlight import highlighted
from netlab.domain.lab import LabSpec
from netlab.domain.resolve import has_interface

TARGET = re.compile(r"(?P<key>file|node)=(?P<value>[A-Za-z0-9._/-]+)")
END = re.compile(r"^(?P<node>[a-z][a-z0-9-]*):(?P<interface>[a-z][a-z0-9._-]*)$")
CONTAINERS = {"hint": "Hint", "note": "", "task": ""}

TAGS = frozenset({
    "a", "abbr", "aside", "b", "blockquote", "br", "button", "code", "dd", "del", "details", "div", "dl", "dt", "em",
    "h2", "h3", "h4", "hr", "i", "kbd", "li", "ol", "p", "pre", "span", "strong", "sub", "summary", "sup", "table",
    "tbody", "td", "th", "thead", "tr", "ul",
})
ATTRIBUTES = {
    "a": {"href", "target"},
    "aside": {"class"},
    "button": {"type", "class"},
    "code": {"class", "data-end"},
    "details": {"class"},
    "div": {"class", "data-file", "data-node"},
    "h2": {"id"}, "h3": {"id"}, "h4": {"id"},
    "ol": {"start"},
    "pre": {"class", "tabindex"},
    "p": {"class"},
    "span": {"class"},
    "td": {"style"}, "th": {"scope"},
}
ATTRIBUTES["td"] = set()


def render_step(text: str, spec: LabSpec) -> str:
    """HTML of one step. Never raises for a text: what is not understood is shown as it is."""
    html = _parser().render(text, {"spec": spec})
    return nh3.clean(html, tags=set(TAGS), attributes=ATTRIBUTES, url_schemes={"https", "http"}, link_rel="noopener noreferrer")


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "typographer": False}).enable(["table", "strikethrough"])
    for name in CONTAINERS:
        parser.use(container_plugin, name=name, render=_container)
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("code_inline", _code_inline)
    parser.add_render_rule("link_open", _link_open)
    parser.add_render_rule("heading_open", _heading)
    parser.add_render_rule("heading_close", _heading)
    parser.add_render_rule("th_open", _head_cell)
    parser.add_render_rule("th_close", _head_cell)
    return parser


def _container(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[index]
    kind, _, title = token.info.strip().partition(" ") if token.nesting == 1 else ("", "", "")
    if token.type == "container_hint_open":
        return f'<details class="hint"><summary>{escape(title.strip() or CONTAINERS["hint"])}</summary>\n'
    if token.type == "container_hint_close":
        return "</details>\n"
    if token.nesting == 1:
        head = f'<p class="aside-title">{escape(title.strip())}</p>' if title.strip() else ""
        return f'<aside class="{kind}">{head}\n'
    return "</aside>\n"


def _fence(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[index]
    language, _, rest = token.info.strip().partition(" ")
    if "=" in language:
        language, rest = "", token.info
    targets = {found["key"]: found["value"] for found in TARGET.finditer(rest)}
    # tabindex: a block wider than its column scrolls, and the keyboard must be able to scroll it
    inside = highlighted(token.content, language)
    code = f'<pre tabindex="0"><code class="language-{escape(language or "text")}">{inside}</code></pre>'
    if "file" in targets:
        return _with_button("file", targets["file"], "Put into the editor", code)
    if "node" in targets:
        return _with_button("node", targets["node"], "Type it for me", code)
    return f'<div class="code">{code}</div>\n'


def _with_button(key: str, value: str, label: str, code: str) -> str:
    head = f'<div class="code-head"><span>{escape(value)}</span><button type="button" class="code-action">{label}</button></div>'
    return f'<div class="code" data-{key}="{escape(value)}">{head}{code}</div>\n'


def _code_inline(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    text = tokens[index].content
    found = END.match(text)
    if found and has_interface(env["spec"], found["node"], found["interface"]):
        return f'<code data-end="{escape(text)}">{escape(text)}</code>'
    return f"<code>{escape(text)}</code>"


def _link_open(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """A link of the instructions never takes the lab's page away."""
    return f'<a href="{escape(str(tokens[index].attrGet("href") or ""))}" target="_blank">'


def _heading(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """The page has its h1 and the step's title its h2: an author's # is an h3."""
    token = tokens[index]
    tag = "h3" if token.tag in ("h1", "h2") else "h4"
    return f"<{tag}>" if token.nesting == 1 else f"</{tag}>\n"


def _head_cell(
    renderer: RendererProtocol, tokens: Sequence[Token], index: int, options: OptionsDict, env: EnvType
) -> str:
    """The corner of a table, or a column without a heading: a cell without words is announced as nobody's heading."""
    opens = tokens[index].nesting == 1
    words = tokens[index + 1 if opens else index - 1].content
    tag = "th" if words.strip() else "td"
    return f"<{tag}>" if opens else f"</{tag}>\n"
