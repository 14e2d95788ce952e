"""Data: where items come from, how they are read, split and batched."""
