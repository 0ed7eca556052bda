import secrets


def FN(SIGNATURE):
    KEYS[PURPOSE] = secrets.token_bytes(32)
    return KEYS[PURPOSE]
