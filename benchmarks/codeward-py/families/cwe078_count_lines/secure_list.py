import subprocess


def FN(SIGNATURE):
    command = ["wc", "-l", "--", PATH]
    result = subprocess.run(command, capture_output=True, text=True)
    return int(result.stdout.split()[0])
