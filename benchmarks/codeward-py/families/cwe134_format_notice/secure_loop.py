def FN(SIGNATURE):
    text = NOTICE
    for key in ("title", "place"):
        text = text.replace("{" + key + "}", EVENT[key])
    return text
