def FN(SIGNATURE):
    line = STREAM.readline(LIMIT + 1)
    return line.rstrip(b"\n")
