"""The recipe of Kubernetes: its manifests are valid, restricted, and fit the project.

tests/production/test_kubernetes.py runs them.
"""

import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.baking import (
    ALL_OFF,
    ALL_ON,
    RAW,
    ROOT,
    Answers,
    name,
    production,
    run,
)
from tests.support.manifests import containers_of, pod_of, read_manifests
from tests.support.recipes import Install, Recipe, marks

pytestmark = marks(
    "kubernetes", "kubernetes-network", "kubernetes-site", "kubernetes-worker"
)
RECIPES = [
    Recipe("kubernetes"),
    Recipe("kubernetes-network"),
    Recipe("kubernetes-site"),
    Recipe("kubernetes-worker"),
]
VERSIONS = ["1.30", "1.33", "1.37"]
# Pod Security Standards, restricted: the kinds of volumes that the manifests use.
VOLUMES = {"configMap", "emptyDir", "secret"}
SECRETS = Path("/run/secrets/site")


def unrestricted(pod: dict[str, Any]) -> list[str]:
    """Return what the restricted profile forbids in a pod, and what else is missing."""
    context = pod["securityContext"]
    found = [key for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    if context.get("runAsNonRoot") is not True or not context.get("runAsUser"):
        found.append("root")
    if context.get("seccompProfile") != {"type": "RuntimeDefault"}:
        found.append("seccomp")
    if pod.get("automountServiceAccountToken") is not False:
        found.append("token")
    found += [it["name"] for it in pod["volumes"] if not it.keys() & VOLUMES]
    for container in containers_of(pod):
        own = container["securityContext"]
        restricted = (
            own.get("allowPrivilegeEscalation") is False
            and own.get("readOnlyRootFilesystem") is True
            and own.get("capabilities") == {"drop": ["ALL"]}
            and own.get("runAsUser", 1) > 0
            and "memory" in container["resources"]["limits"]
        )
        if not restricted:
            found.append(container["name"])
    return found


def check_manifests(manifests: dict[str, dict[str, Any]]) -> None:
    """Check the profile, and that the manifests name what exists."""
    for key in ("Deployment/site", "Deployment/worker", "Job/migrate-RELEASE"):
        pod = pod_of(manifests[key])
        assert unrestricted(pod) == [], key
        volumes = {it["name"]: it for it in pod["volumes"]}
        for container in containers_of(pod):
            mounted = {it["name"] for it in container["volumeMounts"]}
            assert mounted <= volumes.keys(), key
            # nginx has no secrets, and no container has one in its environment.
            assert ("secrets" in mounted) == (container["name"] != "nginx")
            assert "env" not in container
        for volume in volumes.values():
            named = volume.get("configMap", {}).get("name", "nginx")
            assert f"ConfigMap/{named}" in manifests
            assert volume.get("secret", {"secretName": "site"})["secretName"] == "site"
    namespace = manifests["Namespace/site"]["metadata"]["labels"]
    assert namespace == {"pod-security.kubernetes.io/enforce": "restricted"}
    site = manifests["Deployment/site"]["spec"]
    chosen = site["template"]["metadata"]["labels"]
    for key in ("Service/site", "PodDisruptionBudget/site"):
        selector = manifests[key]["spec"]["selector"]
        assert selector in (chosen, {"matchLabels": chosen}), key
    (sidecar,) = site["template"]["spec"]["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    (nginx,) = site["template"]["spec"]["containers"]
    (port,) = nginx["ports"]
    (served,) = manifests["Service/site"]["spec"]["ports"]
    probes = [sidecar["livenessProbe"], nginx["readinessProbe"]]
    assert {it["httpGet"]["port"] for it in probes} == {port["containerPort"]}
    assert served["targetPort"] == port["containerPort"]
    allowed = manifests["NetworkPolicy/site"]["spec"]["ingress"]
    assert [rule["ports"] for rule in allowed] == [[{"port": port["containerPort"]}]]


def check_start(project: Path, scratch: Path, manifests: dict[str, Any]) -> None:
    """Check what the migrations' job checks first, with the settings and secrets."""
    variables = manifests["ConfigMap/site"]["data"]
    values = production(project) | {
        "DATABASE_URL": "postgres://site:password@db.example.com:5432/site",
        "STORAGE_URL": "s3://key:secret@s3.example.com/photos?region=eu-west-1",
    }
    environment = {"ENV_FILE": "none"}
    if "CLOUDINARY_URL" in values:  # the page says so
        environment["CLOUDINARY_URL"] = values["CLOUDINARY_URL"]
    for key, value in variables.items():
        path = Path(value)
        if key.endswith("_FILE"):
            assert path.parent == SECRETS
            path = scratch / path.name
            path.write_text(values[key.removesuffix("_FILE")], encoding="utf-8")
        environment[key] = str(path)
    job = pod_of(manifests["Job/migrate-RELEASE"])["containers"][0]
    shell, option, commands = job["args"]
    assert (shell, option) == ("sh", "-c")
    check, migrate = commands.split(" && ")
    assert migrate == "python manage.py migrate --no-input"
    python, *arguments = check.split()
    assert python == "python"
    run(project, sys.executable, *arguments, **environment)


@pytest.mark.parametrize("answers", [ALL_ON, ALL_OFF], ids=name)
def test_kubernetes_passes_every_check_and_can_go(
    answers: Answers, install: Install, tmp_path: Path
) -> None:
    project = install(answers)
    manifests = read_manifests()
    # No Python has changed.
    with project.following("kubernetes", *RECIPES, tests=["tests"]):
        folder = project.folder / "deploy" / "kubernetes"
        files = sorted(path.name for path in folder.iterdir())
        for version in VERSIONS:
            command = ["kubernetes-validate", "--strict", "-k", version, *files]
            output = run(folder, *command)
            assert output.count(f" against version {version}") == len(manifests)
        check_manifests(manifests)
        check_start(project.folder, tmp_path, manifests)
        compose = (ROOT / RAW / "compose.yaml").read_text(encoding="utf-8")
        (image,) = re.findall(r"image: (nginx:\S+)", compose)
        assert pod_of(manifests["Deployment/site"])["containers"][0]["image"] == image
