def FN(SIGNATURE):
    line = HEADER + ": " + CONTENT
    return line + "\r\n"
