"""The commands of `flask`, for people and operators."""
