"""The longest tests go first, so that they are not what everything else waits for at the end."""

from __future__ import annotations


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
