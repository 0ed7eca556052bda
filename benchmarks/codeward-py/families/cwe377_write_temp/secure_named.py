import tempfile


def FN(SIGNATURE):
    with tempfile.NamedTemporaryFile("w", delete=False) as handle:
        handle.write(TEXT)
    return handle.name
