def FN(SIGNATURE):
    return sum(int(value) for value in FORMULA.split("+"))
