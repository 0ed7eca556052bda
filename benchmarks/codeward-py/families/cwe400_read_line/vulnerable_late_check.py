def FN(SIGNATURE):
    line = STREAM.readline().rstrip(b"\n")
    if len(line) > LIMIT:
        raise ValueError("line too long")
    return line
