def FN(SIGNATURE):
    line = STREAM.readline()
    return line.rstrip(b"\n")
