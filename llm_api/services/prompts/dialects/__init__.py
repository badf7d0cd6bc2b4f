"""The forms that target models read, rendered by code from one plan of a scene.

A `plan` is what a model writes once for all of them, or what `own_words` makes of a text.
`plan_wording` writes it as sentences or as tags; `midjourney` with flags, `ideogram` and `fibo` as
JSON, `timed_sections` for videos. `dialect_table` knows which is for whom.
"""
