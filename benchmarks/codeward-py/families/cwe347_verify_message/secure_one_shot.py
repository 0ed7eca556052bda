import hmac


def FN(SIGNATURE):
    expected = hmac.digest(KEY, MESSAGE, "sha256").hex()
    return hmac.compare_digest(expected, SEAL)
