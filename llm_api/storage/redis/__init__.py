"""State that processes share through Redis or Valkey."""
