import html


def FN(SIGNATURE):
    result = "<ul>"
    for text in REMARKS:
        safe = html.escape(text)
        result += f"<li>{safe}</li>"
    return result + "</ul>"
