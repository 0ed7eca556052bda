def FN(SIGNATURE):
    vars(SETTINGS).update(CHANGES)
    return SETTINGS
