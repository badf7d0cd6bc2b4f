"""Which language a text is in; `languages` knows them."""

from llm_api.services.prompts.languages.detection import is_foreign, language_of
from llm_api.services.prompts.languages.english_chinese import is_chinese
from llm_api.services.prompts.languages.writing import is_piece_of_another, is_written_in

__all__ = ["is_chinese", "is_foreign", "is_piece_of_another", "is_written_in", "language_of"]
