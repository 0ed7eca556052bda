import gzip
import io


def FN(SIGNATURE):
    with gzip.open(io.BytesIO(BODY)) as handle:
        return handle.read(LIMIT)
