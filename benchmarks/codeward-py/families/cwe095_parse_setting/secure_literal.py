import ast


def FN(SIGNATURE):
    return ast.literal_eval(SETTING)
