def FN(SIGNATURE):
    return LETTER.format(user=PERSON)
