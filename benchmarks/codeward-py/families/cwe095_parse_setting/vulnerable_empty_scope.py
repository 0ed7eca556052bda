def FN(SIGNATURE):
    return eval(SETTING, {"__builtins__": {}})
