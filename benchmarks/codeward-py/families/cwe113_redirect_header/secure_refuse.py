def FN(SIGNATURE):
    if "\r" in PLACE or "\n" in PLACE:
        raise ValueError("line break")
    return f"HTTP/1.1 302 Found\r\nLocation: {PLACE}\r\n\r\n"
