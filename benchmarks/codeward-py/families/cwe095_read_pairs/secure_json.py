import json


def FN(SIGNATURE):
    pairs = json.loads(MAPPING)
    return sum(pairs.values())
