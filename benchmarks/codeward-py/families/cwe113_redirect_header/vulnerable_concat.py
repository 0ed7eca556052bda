def FN(SIGNATURE):
    line = "Location: " + PLACE
    return "HTTP/1.1 302 Found\r\n" + line + "\r\n\r\n"
