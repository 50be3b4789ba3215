"""Repositories that a report calls by what they are described as (step 9 of the evaluation order, where IDs are known).

Only a description that one repository of the scope has counts, in any case of letters; an ID always wins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from mailsync.core.model import Records, Repository


def with_ids(records: Records, repositories: Mapping[str, Repository]) -> Records:
    """The records with Repository-IDs for what only one repository is described as, in any case of letters."""
    if "repository" not in records.fields:
        return records
    place = records.fields.index("repository")
    unknown = {said for said in {values[place] for values in records.values} if said and said not in repositories}
    described = Counter(one.description.casefold() for one in repositories.values())
    ids = {one.description.casefold(): one.id for one in repositories.values() if one.description}
    known = {said: ids[said.casefold()] for said in unknown if described[said.casefold()] == 1}
    if not known:
        return records
    values = [
        (*row[:place], known[said], *row[place + 1 :]) if (said := row[place]) in known else row
        for row in records.values
    ]
    return records._replace(values=values)
