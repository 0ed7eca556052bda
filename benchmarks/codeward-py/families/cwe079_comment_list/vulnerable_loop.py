def FN(SIGNATURE):
    result = "<ul>"
    for text in REMARKS:
        result += "<li>" + text + "</li>"
    return result + "</ul>"
