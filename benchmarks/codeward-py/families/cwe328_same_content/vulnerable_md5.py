import hashlib


def FN(SIGNATURE):
    left_digest = hashlib.md5(LEFT).hexdigest()
    right_digest = hashlib.md5(RIGHT).hexdigest()
    return left_digest == right_digest
