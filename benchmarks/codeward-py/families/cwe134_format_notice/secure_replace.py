def FN(SIGNATURE):
    text = NOTICE.replace("{title}", EVENT["title"])
    return text.replace("{place}", EVENT["place"])
