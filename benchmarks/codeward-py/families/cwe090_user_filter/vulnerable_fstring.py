def FN(SIGNATURE):
    return f"(uid={UID})"
