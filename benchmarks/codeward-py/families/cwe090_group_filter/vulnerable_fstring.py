def FN(SIGNATURE):
    return f"(&(objectClass=group)(cn={GROUP}))"
