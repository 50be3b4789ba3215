"""What `definitions learn` finds in the catalogue's own samples, their definitions hidden."""

from __future__ import annotations

from bench_learn import LEAST_LOCATIONS, LEAST_VOLUMES, scores, shares


def test_the_volume_and_location_columns_of_most_samples_are_found():
    found = scores()
    volumes, locations = shares(found)
    missed = [one.sample for one in found if not one.volume or one.location is False]
    assert volumes >= LEAST_VOLUMES, missed
    assert locations >= LEAST_LOCATIONS, missed
