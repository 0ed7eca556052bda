def FN(SIGNATURE):
    values = {"user": PERSON}
    return LETTER.format_map(values)
