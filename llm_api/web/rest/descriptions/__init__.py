"""The route that writes the prompt of a picture."""
