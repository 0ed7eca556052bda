def FN(SIGNATURE):
    PROFILE.update(CHANGES)
    return PROFILE
