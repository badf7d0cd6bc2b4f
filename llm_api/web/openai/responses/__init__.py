"""OpenAI's Responses API: `POST /v1/responses`, over any upstream that has chats."""
