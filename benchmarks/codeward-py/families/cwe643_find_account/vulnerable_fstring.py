def FN(SIGNATURE):
    query = f"account[name='{NAME}']/email"
    return root.findtext(query)
