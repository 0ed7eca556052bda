def FN(SIGNATURE):
    values = {"{user.name}": PERSON.name, "{user.city}": PERSON.city}
    text = LETTER
    for key, value in values.items():
        text = text.replace(key, value)
    return text
