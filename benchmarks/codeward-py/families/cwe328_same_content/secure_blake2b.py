import hashlib


def FN(SIGNATURE):
    left_digest = hashlib.blake2b(LEFT).hexdigest()
    right_digest = hashlib.blake2b(RIGHT).hexdigest()
    return left_digest == right_digest
