"""Let the tests of this folder import what they share, and keep what they cache out of the user's own cache."""

import pytest


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Set a cache of its own for every test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("KINOSCOPE_CACHE", str(folder))
    return folder
