import hashlib


def FN(SIGNATURE):
    left_digest = hashlib.sha1(LEFT).hexdigest()
    right_digest = hashlib.sha1(RIGHT).hexdigest()
    return left_digest == right_digest
