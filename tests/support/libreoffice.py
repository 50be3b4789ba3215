"""LibreOffice as the writer of workbooks: everything a test wants, in one start, in a profile of its own.

`--convert-to` writes one kind of file per start, and a start takes longer than anything else; so a macro in the profile
writes them all. The profile says that it was set up before, or LibreOffice would put its own macros over this one.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

WRITERS = {".xlsx": "Calc MS Excel 2007 XML", ".ods": "calc8", ".xls": "MS Excel 97"}
_LIBRARY = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE library:library PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "library.dtd">
<library:library xmlns:library="http://openoffice.org/2000/library" library:name="Standard" library:readonly="false"
 library:passwordprotected="false"><library:element library:name="Convert"/></library:library>
"""
_LIBRARIES = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE library:libraries PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "libraries.dtd">
<library:libraries xmlns:library="http://openoffice.org/2000/library" xmlns:xlink="http://www.w3.org/1999/xlink">
<library:library library:name="Standard" xlink:href="$(USER)/basic/Standard/script.xlb/" xlink:type="simple"
 library:link="false"/></library:libraries>
"""
_MODULE = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">
<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Convert" script:language="StarBasic">
Sub Main
  Dim reading(2) As New com.sun.star.beans.PropertyValue
  Dim writing(0) As New com.sun.star.beans.PropertyValue
  reading(0).Name = &quot;Hidden&quot;
  reading(0).Value = True
  writing(0).Name = &quot;FilterName&quot;
{steps}End Sub
</script:module>
"""
_SETTINGS = """\
<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Setup/Office"><prop oor:name="ooSetupInstCompleted" oor:op="fuse"><value>true</value>
</prop></item></oor:items>
"""


class Source(NamedTuple):
    """A file to be read; `options` are those of LibreOffice's CSV reader, empty for any other form."""

    path: Path
    options: str = ""


def missing() -> str:
    """Why there is no LibreOffice here, or ""."""
    return "" if shutil.which("soffice") else "LibreOffice is not installed: tests/run does it as root on Debian"


def write_workbooks(folder: Path, sources: list[Source]) -> None:
    """Writes NAME.xlsx, NAME.ods and NAME.xls into the folder for each source."""
    profile = folder / "profile"
    standard = profile / "user" / "basic" / "Standard"
    standard.mkdir(parents=True)
    (standard / "script.xlb").write_text(_LIBRARY)
    (standard.parent / "script.xlc").write_text(_LIBRARIES)
    (profile / "user" / "registrymodifications.xcu").write_text(_SETTINGS)
    steps = "".join(_steps(source, folder) for source in sources)
    (standard / "Convert.xba").write_text(_MODULE.format(steps=steps.replace('"', "&quot;")))
    words = ["soffice", "--headless", "--norestore", f"-env:UserInstallation={profile.as_uri()}"]
    subprocess.run([*words, "macro:///Standard.Convert.Main"], check=True, capture_output=True, timeout=200)


def _steps(source: Source, folder: Path) -> str:
    """Basic that loads the source and stores it in every form."""
    first, second = '"ReadOnly"|True', '"AsTemplate"|False'
    if source.options:
        first, second = '"FilterName"|"Text - txt - csv (StarCalc)"', f'"FilterOptions"|"{source.options}"'
    lines = []
    for place, (name, _, value) in enumerate((first.partition("|"), second.partition("|")), 1):
        lines += [f"reading({place}).Name = {name}", f"reading({place}).Value = {value}"]
    lines += [f'loaded = StarDesktop.loadComponentFromURL("{source.path.as_uri()}", "_blank", 0, reading())']
    for ending, writer in WRITERS.items():
        target = (folder / f"{source.path.stem}{ending}").as_uri()
        lines += [f'writing(0).Value = "{writer}"', f'loaded.storeToURL("{target}", writing())']
    return "".join(f"  {line}\n" for line in [*lines, "loaded.close(True)"])
