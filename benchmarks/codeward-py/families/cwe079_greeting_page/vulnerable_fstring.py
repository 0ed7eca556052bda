def FN(SIGNATURE):
    return f"<h1>Hello, {VISITOR}</h1>"
