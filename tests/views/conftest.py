import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from sample_timeline import sample


@pytest.fixture(scope="session")
def half_minute():
    """Thirty seconds with every kind of result; not to be changed by a test."""
    return sample(minutes=0.5)
