"""The fake libnvidia-ml.so.1: built from source, bent by a control file, loaded by the real binding."""

import os
import subprocess
from pathlib import Path

SOURCE = Path(__file__).parent / "fake_nvml" / "fake_nvml.c"
CONTROL_BYTES = 4096


def build(directory: Path) -> Path:
    """Compile; its soname is the real one, so it also counts for a process that has loaded it by path."""
    library = directory / "libnvidia-ml.so.1"
    flags = ("-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-Wl,-soname,libnvidia-ml.so.1")
    subprocess.run(["cc", *flags, "-o", str(library), str(SOURCE)], check=True)
    return library


class FakeDriver:
    """What the fake driver does; the words are explained in its source."""

    def __init__(self, library: Path, control: Path) -> None:
        self.library, self._control = library, control
        self._control.write_bytes(bytes(CONTROL_BYTES))
        self.does()

    def does(self, *words: str, gpus: int = 1) -> None:
        text = f"gpus={gpus};" + "".join(f"{word};" for word in words)
        fd = os.open(self._control, os.O_WRONLY)
        os.pwrite(fd, text.encode().ljust(CONTROL_BYTES, b"\0"), 0)
        os.close(fd)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to load it."""
        return {"LD_LIBRARY_PATH": str(self.library.parent), "FAKE_NVML": str(self._control)}
