import ast


def FN(SIGNATURE):
    pairs = ast.literal_eval(MAPPING)
    return sum(pairs.values())
