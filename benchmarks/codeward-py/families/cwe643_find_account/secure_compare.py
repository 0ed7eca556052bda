def FN(SIGNATURE):
    for row in root.findall("account"):
        if row.findtext("name") == NAME:
            return row.findtext("email")
    return None
