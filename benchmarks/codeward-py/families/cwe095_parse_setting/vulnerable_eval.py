def FN(SIGNATURE):
    return eval(SETTING)
