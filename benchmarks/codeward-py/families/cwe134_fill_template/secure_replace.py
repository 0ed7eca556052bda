def FN(SIGNATURE):
    text = LETTER.replace("{user.name}", PERSON.name)
    return text.replace("{user.city}", PERSON.city)
