def FN(SIGNATURE):
    pairs = eval(MAPPING, {"__builtins__": {}})
    return sum(pairs.values())
