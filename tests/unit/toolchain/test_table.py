"""What the table says about versions, and that the shipped modules say the same."""

import re
from pathlib import Path

import pytest

from clusterops.errors import TerminalError
from clusterops.toolchain import TOOLS, Tool, ToolchainSettings, tool_named
from clusterops.toolchain.build import last_words
from clusterops.toolchain.manifests import kept_objects
from clusterops.toolchain.patches import LOOPBACK_ONLY, Patch, apply_patches
from clusterops.toolchain.recipe import install_folder, pinned_sources

SETTINGS = ToolchainSettings(cache_dir=Path("/cache"))

# The module that gives a tool its version; the tools of one folder share it.
_MODULES = {
    "kustomize": "sigs.k8s.io/kustomize/kustomize/v5",
    "helm": "helm.sh/helm/v4",
    "etcd": "go.etcd.io/etcd/server/v3",
    "kubernetes": "k8s.io/kubernetes",
    "cluster-api": "sigs.k8s.io/cluster-api",
}


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_the_shipped_module_pins_the_version_of_the_table(tool: Tool) -> None:
    text = (pinned_sources(tool) / "go.mod").read_text(encoding="utf-8")
    pinned = re.findall(rf"^(?:\t|require ){re.escape(_MODULES[tool.folder])} v(\S+)", text, flags=re.MULTILINE)
    assert pinned == [tool.version]
    sums = (pinned_sources(tool) / "go.sum").read_text(encoding="utf-8")
    assert f"{_MODULES[tool.folder]} v{tool.version} h1:" in sums


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.name)
def test_what_a_tool_needs_is_installed_before_it(tool: Tool) -> None:
    order = [each.name for each in TOOLS]
    assert all(order.index(need) < order.index(tool.name) for need in tool.needs)


def test_the_dev_provider_and_the_core_are_of_one_version() -> None:
    text = (pinned_sources(tool_named("cluster-api")) / "go.mod").read_text(encoding="utf-8")
    version = tool_named("cluster-api").version
    assert f"sigs.k8s.io/cluster-api/test v{version}" in text
    assert f"sigs.k8s.io/cluster-api/api => sigs.k8s.io/cluster-api/api v{version}" in text


@pytest.mark.parametrize(
    ("name", "version", "fits"),
    [
        ("helm", "4.3.9", True),
        ("helm", "4.30.1", False),
        ("helm", "3.22.0", False),
        ("clusterctl", "1.14.0", True),
        ("clusterctl", "1.14.1", False),
    ],
)
def test_a_patch_release_will_do_except_for_cluster_api(name: str, version: str, fits: bool) -> None:
    assert tool_named(name).accepts(version) is fits


def test_an_unknown_tool_is_told_which_are_known() -> None:
    with pytest.raises(TerminalError, match="tool-unknown") as caught:
        tool_named("kubectl")
    assert "kustomize" in caught.value.hint


def test_every_change_of_the_recipe_changes_the_folder() -> None:
    managers = tool_named("cluster-api")
    unpatched = Tool(
        name=managers.name, version=managers.version, folder=managers.folder, programs=managers.programs, fits="exact"
    )
    folders = {install_folder(tool, SETTINGS) for tool in (managers, unpatched)}
    assert len(folders) == 2
    assert all(folder.parent == Path("/cache/tools/cluster-api") for folder in folders)


def test_a_patch_replaces_all_it_expects_even_in_a_read_only_copy(tmp_path: Path) -> None:
    file = tmp_path / "a.go"
    file.write_text("x := listen(any); y := listen(any)", encoding="utf-8")
    file.chmod(0o444)
    apply_patches(tmp_path, (Patch(path="a.go", before="any", after="loopback", count=2),))
    assert file.read_text(encoding="utf-8") == "x := listen(loopback); y := listen(loopback)"


@pytest.mark.parametrize("text", ["listen(any)", "listen(any) listen(any) listen(any)", "", None])
def test_sources_that_are_not_as_expected_are_not_built(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "a.go").write_text(text, encoding="utf-8")
    with pytest.raises(TerminalError) as caught:
        apply_patches(tmp_path, (Patch(path="a.go", before="any", after="loopback", count=2),))
    assert caught.value.code == "tool-patch-failed"


def test_no_patch_of_ours_leaves_a_listener_on_every_interface() -> None:
    assert sum(patch.count for patch in LOOPBACK_ONLY) == 4
    assert not any('Sprintf(":%d"' in patch.after or "Options.Host" in patch.after for patch in LOOPBACK_ONLY)


def test_the_last_words_of_a_build_are_not_the_names_of_its_packages() -> None:
    said = b"internal/abi\nk8s.io/api/core/v1\n# k8s.io/x\n./main.go:3:1: undefined: y\n"
    assert last_words(said) == "# k8s.io/x\n./main.go:3:1: undefined: y"


def test_only_what_a_sandbox_installs_is_kept() -> None:
    text = b"kind: Namespace\n---\nkind: Deployment\n---\n---\nkind: CustomResourceDefinition\n---\nkind: Certificate\n"
    assert [item["kind"] for item in kept_objects(text)] == ["Namespace", "CustomResourceDefinition"]
