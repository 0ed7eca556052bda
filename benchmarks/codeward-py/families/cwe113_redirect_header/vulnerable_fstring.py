def FN(SIGNATURE):
    return f"HTTP/1.1 302 Found\r\nLocation: {PLACE}\r\n\r\n"
