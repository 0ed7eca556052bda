def FN(SIGNATURE):
    fields = ("email", "city", "phone")
    PROFILE.update({key: CHANGES[key] for key in CHANGES if key in fields})
    return PROFILE
