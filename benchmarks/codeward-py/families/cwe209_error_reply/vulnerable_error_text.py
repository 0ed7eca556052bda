def FN(SIGNATURE):
    try:
        return {"status": 200, "body": ACTION()}
    except Exception as error:
        return {"status": 500, "body": str(error)}
