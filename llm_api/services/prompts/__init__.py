"""Rewrites prompts for image and video models, keeping what the user asked for.

* `optimizer` is the door; `task` reads a request, `rewriting` makes one call or two, `details`
  tells how it was done.
* Two forms of asking: `instructed` gives a capable model our written rules (`system_*.txt`) and
  reads its free answer by the ladder of `reply`; `guided` lets a small model choose from the
  phrases of `facets.toml`, so that it cannot drift, and `composing` and `phrasing` put them
  together.
* `locks` finds what must stay of a prompt, `checks` whether a rewrite has kept it and added nothing
  it must not; the same checks score the bench. `verdict` adds what only the service knows:
  `leaks` of our own instructions, and whether a text is about the prompt at all.
* `repair` puts lost quotations back, `negatives` writes the negative prompt, `improvements` says
  what was verifiably added. `cleaning` takes out what nobody sees.
"""
