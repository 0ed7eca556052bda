import html


def FN(SIGNATURE):
    items = "".join(f"<li>{html.escape(text)}</li>" for text in REMARKS)
    return f"<ul>{items}</ul>"
