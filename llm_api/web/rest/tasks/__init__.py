"""What tasks of pictures and of films share in a small, strict schema."""
