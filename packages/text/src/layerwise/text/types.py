"""The types of text: titled strings and batches of token numbers."""

__all__: list[str] = []
