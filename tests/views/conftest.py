import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

from sample_timeline import sample

# No deadline and no complaint about slow draws: a busy machine is no fault of the code.
settings.register_profile("views", max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("views")


@pytest.fixture(scope="session")
def half_minute():
    """Thirty seconds with every kind of result; not to be changed by a test."""
    return sample(minutes=0.5)


@pytest.fixture
def golden():
    """A fresh copy of the small Timeline made by hand, free to be changed."""
    from golden.make_golden import golden

    return golden()
