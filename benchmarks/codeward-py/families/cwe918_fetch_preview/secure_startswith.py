def FN(SIGNATURE):
    if not ADDRESS.startswith("https://example.org/"):
        raise ValueError("not allowed")
    return GETTER(ADDRESS)[:80]
