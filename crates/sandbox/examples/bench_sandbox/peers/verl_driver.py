# verl checks a program from standard input to standard output, as a completion with a fenced block.
# Its packages import torch and ray as soon as they are named. The reward itself needs neither, so the packages above it are
# entered as empty ones: verl's processes are then as light, and its forks as fast, as they can be.
import importlib.util
import types
from importlib.metadata import version

# What the reward imports into every program; loaded before the fork, as in any trainer.
import bisect, collections, copy, datetime, functools, heapq, itertools, operator, random, re, statistics, string, typing  # noqa: E401, F401

folder = importlib.util.find_spec("verl").submodule_search_locations[0]
for name in ("verl", "verl.utils", "verl.utils.reward_score"):
    package = types.ModuleType(name)
    package.__path__ = ["/".join([folder, *name.split(".")[1:]])]
    sys.modules[name] = package

from verl.utils.reward_score.prime_code import compute_score  # noqa: E402


def evaluate(task):
    completion = "```python\n" + task["script"] + "```"
    tests = {"inputs": [task["input"]], "outputs": [task["expected"]]}
    success, _ = compute_score(completion, tests, continuous=True)
    return success is True


measure(evaluate, "verl " + version("verl"))
