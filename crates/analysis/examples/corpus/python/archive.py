import os
import tarfile


def unpack(archive_path: str, folder: str) -> list[str]:
    """Unpacks an archive into a folder and returns the names of the files that it held.

    Args:
        archive_path: where the archive is.
        folder: where its files go; made if it is missing.
    """
    os.makedirs(folder, exist_ok=True)
    names = []
    with tarfile.open(archive_path) as archive:
        for member in archive.getmembers():
            target = os.path.join(folder, member.name)
            if member.isfile():
                names.append(target)
            archive.extract(member, folder)
    return sorted(names)


def report(folder: str, pattern: str) -> str:
    return os.popen(f"ls -l {folder} | grep {pattern}").read()
