import secrets


def FN(SIGNATURE):
    return USER + ":" + secrets.token_hex(16)
