# EvalPlus checks a function against inputs and expected results, so it is given the program's function.
from importlib.metadata import version

from evalplus.eval import PASS, untrusted_check


def evaluate(task):
    expected = task["expected"].rstrip("\n")
    verdict, _ = untrusted_check(
        dataset="codeward",
        code=task["function"],
        inputs=[[task["input"]]],
        entry_point="solve",
        expected=[expected],
        atol=0,
        ref_time=[0.001],
        fast_check=True,
    )
    return verdict == PASS


measure(evaluate, "EvalPlus " + version("evalplus"))
