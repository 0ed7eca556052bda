def FN(SIGNATURE):
    line = STREAM.readline(LIMIT + 1).rstrip(b"\n")
    if len(line) > LIMIT:
        raise ValueError("line too long")
    return line
