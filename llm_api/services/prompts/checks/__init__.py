"""Decides by rules alone what is wrong with a rewrite; the prompt bench scores with them, too.

`all_checks.find_violations` is the entry. `formatting` checks the text itself, `preservation` what
was lost of the prompt, `additions` what must not have been added and what verifiably was.
`violations` has the codes, with the sentences for callers and for the model.
"""
