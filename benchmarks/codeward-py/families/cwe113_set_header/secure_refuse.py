def FN(SIGNATURE):
    line = f"{HEADER}: {CONTENT}"
    if "\r" in line or "\n" in line:
        raise ValueError("line break")
    return line + "\r\n"
