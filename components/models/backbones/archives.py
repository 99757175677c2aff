"""One member out of an archive; where the archive says it belongs decides nothing."""

import shutil
import tarfile
import zipfile
from pathlib import Path

from components.errors import WeightsError

MAX_MEMBER_BYTES = 4 << 30


def extract_member(archive: Path, name: str, target: Path) -> None:
    """Write the regular file called ``name``, in whatever folder of a zip or tar, to ``target``.

    Raises:
        WeightsError: E288, the archive cannot be read, or holds no such file of a sane size.
    """
    try:
        if zipfile.is_zipfile(archive):
            found = _from_zip(archive, name, target)
        else:
            found = _from_tar(archive, name, target)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
        raise WeightsError("E288", f"{archive} is broken: {error}.", "Fetch it again.") from None
    if not found:
        raise WeightsError("E288", f"{archive} holds no usable {name}.", "Fetch it again.")


def _from_zip(archive: Path, name: str, target: Path) -> bool:
    with zipfile.ZipFile(archive) as opened:
        for member in opened.infolist():
            if Path(member.filename).name == name and member.file_size <= MAX_MEMBER_BYTES:
                with opened.open(member) as source, target.open("wb") as stream:
                    shutil.copyfileobj(source, stream)
                return True
    return False


def _from_tar(archive: Path, name: str, target: Path) -> bool:
    with tarfile.open(archive) as opened:
        for member in opened:
            source = opened.extractfile(member) if member.isreg() else None
            wanted = Path(member.name).name == name and member.size <= MAX_MEMBER_BYTES
            if source is not None and wanted:
                with target.open("wb") as stream:
                    shutil.copyfileobj(source, stream)
                return True
    return False
