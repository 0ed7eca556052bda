import hmac


def FN(SIGNATURE):
    payload, _, digest = TOKEN.partition(".")
    expected = hmac.digest(KEY, payload.encode(), "sha256").hex()
    if not hmac.compare_digest(expected, digest):
        return None
    return payload
