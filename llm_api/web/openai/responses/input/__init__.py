"""Requests of the Responses API, read and put into the form of a chat."""
