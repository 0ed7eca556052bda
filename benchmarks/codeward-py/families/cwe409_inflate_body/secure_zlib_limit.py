import zlib


def FN(SIGNATURE):
    decoder = zlib.decompressobj(31)
    return decoder.decompress(BODY, LIMIT)
