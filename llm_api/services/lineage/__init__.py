"""Lineages: what came of a prompt, from its rewrite to what people say of the pictures.

`lineage_service` records, returns and takes feedback; `facts` decides what is stored of an event;
`learning` sums lineages up with the intervals of `intervals`.
"""
