def FN(SIGNATURE):
    return "<h1>Hello, " + VISITOR + "</h1>"
