def FN(SIGNATURE):
    return eval(FORMULA)
