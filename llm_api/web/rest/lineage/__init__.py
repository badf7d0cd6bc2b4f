"""The routes of lineages, of feedback, and of what is learned from both."""
