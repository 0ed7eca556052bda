def FN(SIGNATURE):
    cursor = connection.cursor()
    cursor.execute("DELETE FROM items WHERE owner = :owner", {"owner": OWNER})
    connection.commit()
    return cursor.rowcount
