"""Rewrites prompts for image and video models, keeping what the user asked for.

* `optimizer` is the door.
* Two forms of asking: `instructed` gives a capable model our written rules and reads its free
answer;
  `guided` lets a small model choose from fixed phrases, so that it cannot drift.
* `reply` finds the prompt in whatever a model wrote; `checks` decides whether it may be used;
  `improvements` says what was verifiably added.
* `system_image.txt` and `system_video.txt` are the written rules, `facets.toml` the phrases,
  `vocabulary.toml` the words that count as evidence.
"""
