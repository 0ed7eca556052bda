def FN(SIGNATURE):
    if not ADDRESS.startswith(("http://", "https://")):
        raise ValueError("not a link")
    return GETTER(ADDRESS)[:80]
