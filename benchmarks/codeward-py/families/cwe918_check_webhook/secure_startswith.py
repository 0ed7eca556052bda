def FN(SIGNATURE):
    if not HOOK.startswith("https://hooks.example.org/"):
        raise ValueError("not allowed")
    return POSTER(HOOK) == 200
