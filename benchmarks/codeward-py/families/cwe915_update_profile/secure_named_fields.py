def FN(SIGNATURE):
    for field in ("email", "city", "phone"):
        if field in CHANGES:
            PROFILE[field] = CHANGES[field]
    return PROFILE
