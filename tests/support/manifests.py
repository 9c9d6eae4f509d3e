"""The manifests of the recipe kubernetes."""

from typing import Any

import yaml

from tests.support.recipes import Recipe

PAGES = ["kubernetes", "kubernetes-network", "kubernetes-site", "kubernetes-worker"]
IMAGE = "registry.example.com/my-secure-site"
RELEASE = "RELEASE"


def read_manifests() -> dict[str, dict[str, Any]]:
    """Return the manifests of all pages, each by its kind and name."""
    texts = [block.text for page in PAGES for block in Recipe(page).steps]
    manifests = [manifest for text in texts for manifest in yaml.safe_load_all(text)]
    return {key_of(manifest): manifest for manifest in manifests}


def key_of(manifest: dict[str, Any]) -> str:
    """Return the kind and the name of a manifest."""
    return f"{manifest['kind']}/{manifest['metadata']['name']}"


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return the specification of a deployment's or a job's pods."""
    pod: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return pod


def containers_of(pod: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the containers of a pod, its sidecars first."""
    return [*pod.get("initContainers", []), *pod["containers"]]
