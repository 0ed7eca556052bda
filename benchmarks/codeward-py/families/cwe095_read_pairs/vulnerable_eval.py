def FN(SIGNATURE):
    pairs = eval(MAPPING)
    return sum(pairs.values())
