import html


def FN(SIGNATURE):
    return "<h1>Hello, " + html.escape(VISITOR) + "</h1>"
