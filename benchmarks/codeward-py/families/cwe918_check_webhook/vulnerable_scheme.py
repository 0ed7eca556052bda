def FN(SIGNATURE):
    if not HOOK.startswith(("http://", "https://")):
        raise ValueError("not a link")
    return POSTER(HOOK) == 200
