"""The longest tests go first, so that they are not what everything else waits for at the end.

Properties draw the same examples every time, so that a gate that was green stays green for the same code. To search
for new ones: `HYPOTHESIS_PROFILE=search pytest ...`; what that finds becomes a test of its own.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("gate", derandomize=True, database=None)
settings.register_profile("search", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
