from urllib.parse import urlsplit


def FN(SIGNATURE):
    if urlsplit(HOOK).hostname != "hooks.example.org":
        raise ValueError("not allowed")
    return POSTER(HOOK) == 200
