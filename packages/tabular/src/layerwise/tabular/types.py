"""The types of tables: one row as tensors of categories and numbers."""

__all__: list[str] = []
