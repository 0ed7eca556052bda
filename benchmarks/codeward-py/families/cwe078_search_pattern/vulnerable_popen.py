import os


def FN(SIGNATURE):
    command = 'grep -e "' + PATTERN + '" ' + PATH
    output = os.popen(command).read()
    return output.splitlines()
