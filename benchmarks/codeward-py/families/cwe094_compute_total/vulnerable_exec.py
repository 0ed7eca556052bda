def FN(SIGNATURE):
    scope = {}
    exec(f"result = {FORMULA}", scope)
    return scope["result"]
