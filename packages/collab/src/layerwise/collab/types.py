"""The types of recommendations: a pair of user and item."""

__all__: list[str] = []
