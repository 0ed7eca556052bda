import secrets


def FN(SIGNATURE):
    KEYS[PURPOSE] = secrets.token_bytes(8)
    return KEYS[PURPOSE]
