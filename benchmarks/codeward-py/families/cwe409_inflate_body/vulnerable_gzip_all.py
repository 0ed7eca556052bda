import gzip


def FN(SIGNATURE):
    data = gzip.decompress(BODY)
    return data[:LIMIT]
