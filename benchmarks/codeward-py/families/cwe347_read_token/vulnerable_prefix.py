import hashlib
import hmac


def FN(SIGNATURE):
    payload, _, digest = TOKEN.partition(".")
    expected = hmac.new(KEY, payload.encode(), hashlib.sha256).hexdigest()
    if not expected.startswith(digest):
        return None
    return payload
