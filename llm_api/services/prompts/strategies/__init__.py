"""The two strategies of having a prompt rewritten by a model.

`instructions` gives a capable model our written rules (`system_*.txt`), and `reply_parser` reads
its free answer by a ladder of steps: `reply_marks` takes off what belongs to a chat format,
`reply_fields` reads JSON, `reply_layout` fences, tags, tables and lists of options,
`reply_sections` finds the prompt among greetings and headings, and `reply_comments` ends it before
what is said behind it. `guided_decoding` lets a small model choose from phrases of
ours, so that it cannot drift.
"""
