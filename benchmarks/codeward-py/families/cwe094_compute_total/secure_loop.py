def FN(SIGNATURE):
    result = 0
    for value in FORMULA.split("+"):
        result += int(value)
    return result
