"""What pictures cost: hostile ones, many large ones at once, and what chat notices of them."""
