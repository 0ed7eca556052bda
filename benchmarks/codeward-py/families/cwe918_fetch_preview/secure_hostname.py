from urllib.parse import urlsplit


def FN(SIGNATURE):
    if urlsplit(ADDRESS).hostname != "example.org":
        raise ValueError("not allowed")
    return GETTER(ADDRESS)[:80]
