"""Decides by rules alone what is wrong with a rewrite; the bench scores with the same checks.

`rewrite` is the door. `form` looks at the shape of the text, `kept` for what was lost, `added` for
what must not have come in; `leaks` finds our own instructions, `talk` what is no description.
`violations` words what is found.
"""
