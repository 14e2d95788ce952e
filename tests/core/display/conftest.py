import pytest


@pytest.fixture
def plt():
    """matplotlib without a window; the figures of a test are closed after it."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("agg")
    yield pyplot
    pyplot.close("all")
