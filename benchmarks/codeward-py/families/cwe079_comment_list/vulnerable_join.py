def FN(SIGNATURE):
    items = "".join(f"<li>{text}</li>" for text in REMARKS)
    return f"<ul>{items}</ul>"
