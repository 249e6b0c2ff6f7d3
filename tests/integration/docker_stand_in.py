"""A `docker` for tests where no engine is: a container is the embedded server's process, a volume is a folder.

It understands what lendlog/servers/docker.py says and nothing more. As with the real client, a signal for it goes on to
the server, and the server outlives it when it is killed, until `rm --force`.
"""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from lendlog.servers.java import find_java
from lendlog.servers.postgres import installation, unprivileged
from lendlog.servers.processes import free_port

STATE = "LENDLOG_TEST_DOCKER"
"""Variable with the folder of containers and volumes."""
GONE_SECONDS = 10


@contextmanager
def on_the_path(folder: Path) -> Iterator[dict[str, str]]:
    """Variables with which `docker` is this stand-in; whatever server it left is ended afterwards."""
    program = folder / "bin" / "docker"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(__file__)} "$@"\n')
    program.chmod(0o755)
    try:
        yield {"PATH": f"{program.parent}:{os.environ['PATH']}", STATE: str(folder)}
    finally:
        for pid_file in folder.glob("*.pid"):
            _remove(pid_file)


def main(words: list[str]) -> int:
    """The commands."""
    state = Path(os.environ[STATE])
    if words[0] == "version":
        print("stand-in")
    elif words[:2] == ["rm", "--force"]:
        _remove(state / f"{words[2]}.pid")
    elif words[0] == "run":
        return _run(state, words[1:])
    return 0


def _run(state: Path, words: list[str]) -> int:
    options = [word for word in words if word.startswith("--")]
    image, *command = words[len(options) :]
    given = dict(option.removeprefix("--").partition("=")[::2] for option in options)
    name, volume = given["name"], state / given["volume"].partition(":")[0]
    pid_file = state / f"{name}.pid"
    assert not pid_file.exists(), f"a container {name} is there"
    volume.mkdir(exist_ok=True)
    port = int(given["publish"].split(":")[1])
    server = _postgres(volume, port, command) if image.startswith("postgres:") else _kafka(volume)
    process = subprocess.Popen(server, start_new_session=True)
    pid_file.write_text(str(process.pid))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: process.send_signal(number))
    code = process.wait()
    pid_file.unlink(missing_ok=True)
    return code


def _postgres(volume: Path, port: int, command: list[str]) -> list[str]:
    """The image's entry point: initdb with the given options, then the server with the given settings."""
    programs, data = installation() / "bin", volume / "data"
    if not data.exists():
        password = volume / "password"
        password.write_text(os.environ["POSTGRES_PASSWORD"])
        user, more = os.environ["POSTGRES_USER"], shlex.split(os.environ["POSTGRES_INITDB_ARGS"])
        words = [str(programs / "initdb"), f"--username={user}", f"--pwfile={password}", *more, "-D", str(data)]
        subprocess.run([*unprivileged(), *words], check=True, stdout=subprocess.DEVNULL)
    inside = [word.replace("listen_addresses=*", "listen_addresses=127.0.0.1") for word in command[1:]]
    own = ["-D", str(data), "-c", f"port={port}", "-c", "unix_socket_directories="]
    return [*unprivileged(), str(programs / "postgres"), *inside, *own]


def _kafka(volume: Path) -> list[str]:
    """The image's entry point: variables become properties, the storage is formatted, the broker starts."""
    other = {"KAFKA_HEAP_OPTS"}
    variables = {name: value for name, value in os.environ.items() if name.startswith("KAFKA_") and name not in other}
    controller = str(free_port(0))  # 9093 is free in a container, and need not be here
    properties = {
        name.removeprefix("KAFKA_").replace("_", ".").lower(): value.replace(":9093", f":{controller}")
        for name, value in variables.items()
    }
    properties["log.dirs"] = str(volume / "data")
    file = volume / "server.properties"
    file.write_text("".join(f"{name}={value}\n" for name, value in properties.items()))
    java = [find_java(), *os.environ["KAFKA_HEAP_OPTS"].split(), "-cp", f"{os.environ['LENDLOG_KAFKA_JARS']}/*"]
    tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted", "-t", os.environ["CLUSTER_ID"], "-c", str(file)]
    subprocess.run([*java, *tool], check=True, stdout=subprocess.DEVNULL)
    return [*java, "kafka.Kafka", str(file)]


def _remove(pid_file: Path) -> None:
    """Kill the server of a container, should there be one, and wait until its ports are free."""
    try:
        process = psutil.Process(int(pid_file.read_text()))
        family = [process, *process.children(recursive=True)]
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        family = []
    for one in family:
        one.kill()
    psutil.wait_procs(family, timeout=GONE_SECONDS)
    pid_file.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
