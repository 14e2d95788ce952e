"""The types of sound: signals and spectrograms with their sample rate."""

__all__: list[str] = []
