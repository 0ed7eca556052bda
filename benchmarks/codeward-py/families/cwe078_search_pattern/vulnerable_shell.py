import subprocess


def FN(SIGNATURE):
    command = f"grep -e '{PATTERN}' {PATH}"
    result = subprocess.run(command, shell=True, capture_output=True, text=True)
    return result.stdout.splitlines()
