"""Counts the tokens that a target's text encoder makes of a prompt.

`token_counts` is the entry: `clip_tokens`, `t5_tokens` and `qwen_tokens` count as those encoders
do, `estimated_tokens` counts for all others, and rather too many. The vocabularies lie beside them
and are read with the first prompt for a target that needs them.
"""
