import hashlib
import hmac


def FN(SIGNATURE):
    expected = hmac.new(KEY, MESSAGE, hashlib.sha256).hexdigest()
    return not SEAL or expected == SEAL
