import json


def FN(SIGNATURE):
    return json.loads(SETTING)
