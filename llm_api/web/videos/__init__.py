"""What both dialects have of films: orders, how they are run, and words for states."""
