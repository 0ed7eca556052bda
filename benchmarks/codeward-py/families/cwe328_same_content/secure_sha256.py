import hashlib


def FN(SIGNATURE):
    left_digest = hashlib.sha256(LEFT).hexdigest()
    right_digest = hashlib.sha256(RIGHT).hexdigest()
    return left_digest == right_digest
