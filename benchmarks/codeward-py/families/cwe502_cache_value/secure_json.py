import json
import os


def FN(SIGNATURE):
    if os.path.exists(STORE):
        with open(STORE) as handle:
            return json.load(handle)
    with open(STORE, "w") as handle:
        json.dump(RECORD, handle)
    return RECORD
