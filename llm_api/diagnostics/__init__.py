"""The doctor: what it examines and what it reports."""
