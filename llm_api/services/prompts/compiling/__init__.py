"""Rewrites a prompt for several target models at once, or for one that reads no prose.

`compiler` makes the calls, `scene_drafts` makes of what came back a prompt for each target that
passes the checks, `settling` puts a model's plan right where code can.
"""
