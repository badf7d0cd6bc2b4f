"""Enriches a prompt with phrases of ours, for small models and for repairs.

`facets` has the phrases (`facets.toml`) and decides which fit; `composition` puts them behind the
user's own words.
"""
