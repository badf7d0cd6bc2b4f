"""The REST dialect, under `/api/v1/llm`: small, strict schemas; unknown fields are refused."""
