def FN(SIGNATURE):
    line = f"{HEADER}: {CONTENT}"
    line = line.replace("\r", "").replace("\n", "")
    return line + "\r\n"
