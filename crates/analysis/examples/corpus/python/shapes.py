from __future__ import annotations

from collections import Counter, defaultdict
from functools import lru_cache
from itertools import accumulate


@lru_cache(maxsize=None)
def num_ways(total: int, coins: tuple[int, ...]) -> int:
    if total == 0:
        return 1
    if total < 0 or not coins:
        return 0
    return num_ways(total - coins[0], coins) + num_ways(total, coins[1:])


def groups(words: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for word in words:
        key = "".join(sorted(word))
        found[key].append(word)
    return {key: members for key, members in found.items() if len(members) > 1}


def longest_run(values: list[int]) -> int:
    best = run = 0
    for before, value in zip([None, *values], values):
        run = run + 1 if value == before else 1
        best = max(best, run)
    return best


def summary(values: list[int]) -> str:
    counts = Counter(values)
    total, *_ = counts.most_common(1) or [(0, 0)]
    sums = list(accumulate(values))
    return f"{len(values)} values, most often {total[0]}, sums {sums!r:>10}"
