def FN(SIGNATURE):
    for field in ("theme", "language", "page_size"):
        if field in CHANGES:
            setattr(SETTINGS, field, CHANGES[field])
    return SETTINGS
