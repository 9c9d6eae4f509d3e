"""The restrictions in the files for a server: units, containers and scripts."""

import re

import pytest
from django.conf import settings

DEPLOY = settings.BASE_DIR / "deploy"

# What systemd.exec(5) offers to a service that needs no privilege.
SANDBOX = {
    "CapabilityBoundingSet": "",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "NoNewPrivileges": "yes",
    "PrivateDevices": "yes",
    "PrivateTmp": "yes",
    "PrivateUsers": "yes",
    "ProcSubset": "pid",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHome": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectProc": "invisible",
    "ProtectSystem": "strict",
    "RemoveIPC": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "StateDirectoryMode": "0700",
    "SystemCallArchitectures": "native",
    "UMask": "0077",
}
IDENTITY = {"AmbientCapabilities", "Group", "SystemCallFilter", "User"}
CONTAINER = {
    "restart: unless-stopped",
    'options: { max-size: 10m, max-file: "5" }',
    "read_only: true",
    "cap_drop: [ALL]",
    'security_opt: ["no-new-privileges:true"]',
    "pids_limit: 200",
}
WEAKENING = {
    "cap_add",
    "cap_drop",
    "devices",
    "ipc",
    "network_mode",
    "pid",
    "privileged",
    "read_only",
    "security_opt",
    "userns_mode",
}


def read(name: str) -> str:
    return (settings.BASE_DIR / name).read_text(encoding="utf-8")


def read_directives(text: str) -> list[tuple[str, str]]:
    return re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)


def read_services() -> dict[str, str]:
    """Return the lines of each service of compose.yaml."""
    (services,) = re.findall(
        r"^services:\n((?:  .*\n|\n)+)", read("compose.yaml"), re.MULTILINE
    )
    blocks = re.findall(r"^  ([\w-]+):\n((?:    .*\n)+)", services, re.MULTILINE)
    assert len(blocks) == len(re.findall(r"^  [\w-]", services, re.MULTILINE))
    return dict(blocks)


@pytest.mark.control("hardening")
def test_units_have_no_privilege() -> None:
    hardening = read_directives(read("deploy/site-.service.d/hardening.conf"))
    values = dict(hardening)
    assert SANDBOX.items() <= values.items()
    assert ("SystemCallFilter", "~@privileged") in hardening
    assert values["User"] != "root"
    units = list(DEPLOY.glob("*.service"))
    assert units
    for unit in units:
        assert unit.name.startswith("site-"), "hardening.conf is for units of this name"
        directives = read_directives(unit.read_text(encoding="utf-8"))
        names = {name for name, _ in directives}
        assert names.isdisjoint(SANDBOX.keys() | IDENTITY), unit.name
        for name, value in directives:
            # A prefix of the command, such as `+`, would give it more rights.
            assert not name.startswith("Exec") or value.startswith("/"), unit.name


@pytest.mark.control("hardening")
def test_timers_run_each_day_and_after_a_missed_run() -> None:
    timers = list(DEPLOY.glob("*.timer"))
    assert timers
    for timer in timers:
        (schedule,) = re.findall(
            r"^OnCalendar=(.+)$", timer.read_text(encoding="utf-8"), re.MULTILINE
        )
        # No day of the week, no month and no year.
        assert re.fullmatch(r"(\*-\*-\* )?[\d*]+:[\d/]+", schedule), timer.name
    assert "\nPersistent=true\n" in read("deploy/site-backup.timer")


@pytest.mark.control("hardening")
def test_every_container_is_restricted() -> None:
    compose = read("compose.yaml")
    (common,) = re.findall(
        r"^x-service: &service\n((?:  .*\n)+)", compose, re.MULTILINE
    )
    assert {line.strip() for line in common.splitlines()} >= CONTAINER
    assert "x-site: &site\n  <<: *service\n" in compose
    for name, lines in read_services().items():
        assert re.match(r"    <<: \*(service|site)\n", lines), name
        options = set(re.findall(r"^    (\w+):", lines, re.MULTILINE))
        assert options.isdisjoint(WEAKENING), name
        assert "mem_limit" in options, name
        users = re.findall(r"^    user: (.+)$", lines, re.MULTILINE)
        assert not re.search(r"\b(root|0)\b", "".join(users)), name
        assert users or "<<: *site" in lines, f"{name}: the image may run as root"
    assert "docker.sock" not in compose


@pytest.mark.control("hardening")
def test_what_stays_is_started_again_and_has_a_limit_of_memory() -> None:
    for unit in DEPLOY.glob("*.service"):
        directives = dict(read_directives(unit.read_text(encoding="utf-8")))
        if directives["Type"] != "oneshot":
            assert directives["Restart"] == "always", unit.name
            assert directives["MemoryMax"], unit.name
    restarts = {
        name: re.findall(r"^    restart: (.+)$", text, re.MULTILINE)
        for name, text in read_services().items()
    }
    own = {name: values for name, values in restarts.items() if values}
    assert own == {"migrate": ['"no"'], "restic": ['"no"']}


@pytest.mark.control("hardening")
def test_each_container_that_stays_has_a_health_check_of_its_own() -> None:
    services = read_services()
    checked = {name for name, text in services.items() if "    healthcheck:\n" in text}
    assert checked == services.keys() - {"migrate", "restic"}
    # The worker has another one than the site, and a platform has its own.
    assert "HEALTHCHECK" not in read("Dockerfile")


@pytest.mark.control("hardening")
def test_secrets_of_containers_are_files() -> None:
    """Everyone who lists the containers reads their environment."""
    names = re.findall(r"^ +([A-Z_]+): ", read("compose.yaml"), re.MULTILINE)
    secrets = {
        name for name in names if re.search("SECRET|PASSWORD|TOKEN|KEY|_URL|DSN", name)
    }
    assert secrets
    assert all(name.endswith("_FILE") for name in secrets)


@pytest.mark.parametrize("name", ["site-web@", "site-worker"])
def test_unit_may_take_its_time_to_end(name: str) -> None:
    unit = dict(read_directives(read(f"deploy/{name}.service")))
    assert int(unit["TimeoutStopSec"]) >= settings.GRACE_SECONDS


@pytest.mark.parametrize("name", ["site", "worker"])
def test_container_may_take_its_time_to_end(name: str) -> None:
    (seconds,) = re.findall(r"stop_grace_period: (\d+)s", read_services()[name])
    assert int(seconds) >= settings.GRACE_SECONDS


@pytest.mark.control("hardening")
def test_nginx_alone_is_reached_from_outside() -> None:
    services = read_services()
    published = {name for name, lines in services.items() if "    ports:" in lines}
    assert published == {"proxy"}
    assert "    networks: [inside]\n" in services["database"]
    assert "    networks: [edge]\n" in services["proxy"]
    assert "  inside: { internal: true }\n" in read("compose.yaml")


@pytest.mark.control("hardening")
def test_containers_write_only_into_volumes() -> None:
    writable = set()
    for name, lines in read_services().items():
        volumes = re.findall(r"^    volumes:(.*\n(?:      .*\n)*)", lines, re.MULTILINE)
        for mount in re.findall(r"[^\s\",\[\]]+:/[^\s\",\]]+", "".join(volumes)):
            if mount.startswith((".", "/")) and not mount.endswith(":ro"):
                writable.add((name, mount.partition(":")[0]))
    assert writable == {("restic", "./backups")}


@pytest.mark.control("hardening")
def test_scripts_stop_at_the_first_error() -> None:
    files = [path for path in DEPLOY.iterdir() if path.is_file()]
    texts = {path.name: path.read_text(encoding="utf-8") for path in files}
    scripts = {name: text for name, text in texts.items() if text.startswith("#!")}
    assert scripts
    for name, script in scripts.items():
        commands = [line for line in script.splitlines() if line and line[0] != "#"]
        assert commands[0] == "set -eu", name
        # Only the rollback after a failure continues after an error: it is a function.
        assert not re.search(r"^set \+|\bset \+\w*u", script, re.MULTILINE), name


@pytest.mark.control("power")
@pytest.mark.parametrize(
    ("script", "synced", "used"),
    [
        ("release", "\nsync ", '\nuse "$new"'),
        ("release-containers", "\nsync ", '\nuse "$new"'),
        ("release-containers", " sync .env.new &&", " mv .env.new .env"),
        ("install-certificate", "\nsync ", " reload"),
    ],
)
def test_what_a_script_puts_into_use_is_on_the_disk(
    script: str, synced: str, used: str
) -> None:
    text = (DEPLOY / script).read_text(encoding="utf-8")
    assert 0 < text.find(synced) < text.find(used)
