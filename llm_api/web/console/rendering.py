"""Makes the pages of templates: language, theme, addresses of files, and the content policy."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from flask import Response, current_app, make_response, render_template, request
from markupsafe import Markup, escape

from llm_api.services.keys.session_service import Session
from llm_api.web.access.browser_sessions import session_of_page
from llm_api.web.console import assets, page_texts, service_reasons, service_sentences
from llm_api.web.console.page_table import PAGES
from llm_api.web.request.context import services

# Nothing inline, nothing of other hosts: pictures and films come from here, or from memory.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:;"
    " media-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'"
)
LANGUAGE_COOKIE, THEME_COOKIE = "console_language", "console_theme"
THEMES = ("auto", "light", "dark")


def render(template: str, section: str, shares: Sequence[str] = (), **values: Any) -> Response:
    """Return a page.

    Args:
        template: its name in `templates/`.
        section: that of its words in `languages/`, which its scripts get, too.
        shares: other sections that its scripts get.
        values: what else the template uses.
    """
    return render_for(session_of_request(), template, section, shares, **values)


def render_for(
    session: Session | None, template: str, section: str, shares: Sequence[str] = (), **values: Any
) -> Response:
    """Return a page for whoever has the session; see `render`."""
    language = language_of_request()
    theme = request.cookies.get(THEME_COOKIE, "")
    place = THEMES.index(theme) if theme in THEMES else 0

    def text(key: str, **parts: object) -> str:
        return page_texts.text_of(language, key, **parts)

    def said(sentence: str) -> Markup:
        return said_in(language, sentence)

    page = render_template(
        template,
        t=text,
        asset=assets.address_of,
        section=section,
        language=language,
        languages=page_texts.LANGUAGES,
        reasons=service_reasons.address_of(language),
        explained=partial(service_reasons.explained, language),
        theme=THEMES[place],
        next_theme=THEMES[(place + 1) % len(THEMES)],
        pages=PAGES,
        session=session,
        needs_key=bool(current_app.config["REQUIRE_API_KEY"]),
        script_texts=page_texts.texts_for_scripts(language, (section, *shares)),
        sentences=service_sentences.address_of(language),
        said=said,
        **values,
    )
    response = make_response(page)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Content-Language"] = language
    response.headers["Vary"] = "Accept-Language, Cookie"
    return response


def said_in(language: str, sentence: str) -> Markup:
    """Return a sentence of the service as HTML: in a language, or marked as the English it is."""
    text = service_sentences.said(language, sentence)
    return Markup('<span lang="en">{}</span>').format(sentence) if text is None else escape(text)


def session_of_request() -> Session | None:
    """Return the session of the browser that asks; raises as `SessionService.find` does."""
    return session_of_page(request, services().sessions)


def language_of_request() -> str:
    """Return the language that was chosen in this browser, or else the one that it prefers."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen is not None and chosen in page_texts.LANGUAGES:
        return chosen
    preferred = request.accept_languages.best_match(list(page_texts.LANGUAGES))
    return preferred or page_texts.DEFAULT
