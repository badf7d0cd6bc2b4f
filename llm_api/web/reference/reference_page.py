"""The content of `/reference`: written once in each language, when somebody first reads it."""

import re
from functools import cache, partial

from flask import current_app
from jinja2 import Environment
from markupsafe import Markup, escape

from llm_api.web.console import page_texts
from llm_api.web.late_document import LateBytes, LateDocument
from llm_api.web.reference.operations import reference_of

_TEMPLATE = "_reference.html"
# The indents of the template, a third of the page. In what is quoted there is no `>` or `<`.
_GAPS = re.compile(r">\s+<")


def content_of(document: LateDocument, language: str) -> Markup:
    """Return the content of the page.

    Args:
        document: the API document.
        language: of the words around what the document says, which is in English.
    """
    kept = _content(document, language, current_app.jinja_env)
    return Markup(kept.read().decode())  # noqa: S704  # written by the template, which escapes


@cache
def _content(document: LateDocument, language: str, environment: Environment) -> LateBytes:
    # In this thread: another document may not be written in that one.
    described = document.to_dict()
    return LateBytes(partial(_written, described, language, environment))


def _written(described: dict[str, object], language: str, environment: Environment) -> bytes:
    template = environment.get_template(_TEMPLATE)
    text = partial(page_texts.text_of, language)
    page = template.render(reference=reference_of(described), t=text, prose=prose)
    return _GAPS.sub(">\n<", page).encode()


def prose(text: str) -> Markup:
    """Return a text of the document as HTML: what stands between backquotes is code."""
    parts = str(escape(text)).split("`")
    return Markup("").join(  # its parts are escaped
        Markup(f"<code>{part}</code>" if number % 2 else part)  # noqa: S704
        for number, part in enumerate(parts)
    )
