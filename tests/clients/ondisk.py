"""What lies on disk: for the suites of encryption at rest."""
import os

CHUNK = 4 << 20


def shows(folder, what, mounted=True):
    """The files that have these bytes; by their data, as most of an encrypted file is a hole. mounted: also in what is mounted within."""
    found = []
    for root, folders, files in os.walk(folder):
        if not mounted:
            folders[:] = [d for d in folders if not os.path.ismount(os.path.join(root, d))]
        for f in files:
            try:
                fd = os.open(os.path.join(root, f), os.O_RDONLY)
            except OSError:  # a socket, or it has gone
                continue
            try:
                at = 0
                while True:
                    at = os.lseek(fd, at, os.SEEK_DATA)
                    end = os.lseek(fd, at, os.SEEK_HOLE)
                    while at < end:
                        if what in os.pread(fd, min(CHUNK, end - at) + len(what), at):
                            found.append(f)
                        at += CHUNK
                    at = end
            except OSError:  # ENXIO: no more data
                pass
            finally:
                os.close(fd)
    return found
