import subprocess


def FN(SIGNATURE):
    command = ["grep", "-e", PATTERN, "--", PATH]
    result = subprocess.run(command, capture_output=True, text=True)
    return result.stdout.splitlines()
