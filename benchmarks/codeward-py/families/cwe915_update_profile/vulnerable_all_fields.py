def FN(SIGNATURE):
    for field in CHANGES:
        PROFILE[field] = CHANGES[field]
    return PROFILE
