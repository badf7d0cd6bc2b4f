"""Rewrites prompts for image and video models, keeping what the user asked for.

* `optimizer` is the door; `task` reads a request, `rewriting` makes one call or two in one of two
  `forms`, `details` tells how it was done.
* `locks` finds what must stay of a prompt, `checks` whether a rewrite has kept it and added nothing
  it must not, by the words of `vocabulary`. `verdict` adds what only the service knows: whether our
  own instructions came back, and whether a text is about the prompt at all.
* `repair` mends by code what can be mended so, `negatives` writes the negative prompt,
  `improvements` says what was verifiably added.
* `quotes` finds quoted texts, `language` tells the language, `phrasing` puts phrases behind a text,
  `cleaning` takes out what nobody sees.
"""
