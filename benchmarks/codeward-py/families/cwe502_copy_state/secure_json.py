import json


def FN(SIGNATURE):
    LINK.put(json.dumps(STATE).encode())
    return json.loads(LINK.get())
