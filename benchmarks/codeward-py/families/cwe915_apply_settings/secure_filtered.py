def FN(SIGNATURE):
    fields = ("theme", "language", "page_size")
    vars(SETTINGS).update({key: CHANGES[key] for key in CHANGES if key in fields})
    return SETTINGS
