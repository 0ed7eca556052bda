import secrets


def FN(SIGNATURE):
    return secrets.token_hex(SIZE)
