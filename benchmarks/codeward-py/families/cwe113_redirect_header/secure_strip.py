def FN(SIGNATURE):
    value = PLACE.replace("\r", "").replace("\n", "")
    return f"HTTP/1.1 302 Found\r\nLocation: {value}\r\n\r\n"
