def FN(SIGNATURE):
    for field in CHANGES:
        setattr(SETTINGS, field, CHANGES[field])
    return SETTINGS
