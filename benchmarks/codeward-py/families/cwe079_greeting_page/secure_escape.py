import html


def FN(SIGNATURE):
    safe = html.escape(VISITOR)
    return f"<h1>Hello, {safe}</h1>"
