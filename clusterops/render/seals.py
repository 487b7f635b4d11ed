"""Values files that SOPS encrypted: what they add to a fingerprint, and what they hold."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from clusterops.errors import ClusterOpsError, Defect, TerminalError
from clusterops.model.document import load_document
from clusterops.model.fleet import HelmRecipe, Target, TemplateRecipe, sealed_files
from clusterops.model.problem import SeveralProblems
from clusterops.model.revision import Snapshot
from clusterops.model.secret import SecretValues
from clusterops.render.sops import AgeKeys, Seal, open_file, read_seal
from clusterops.render.sops.seal import KEY
from clusterops.render.values import Layer, read_layer
from clusterops.render.values.layers import layer_of


class Seals:
    """Opens with ``keys``; remembers of every file for whom it is encrypted, and nothing else."""

    def __init__(self, keys: AgeKeys) -> None:
        self._keys = keys
        self._known: dict[str, Seal] = {}

    def mark(self, snapshot: Snapshot, target: Target) -> Sequence[object]:
        """What a render of the target depends on beside its files: as whom each sealed file can be opened.

        Never a secret. Empty for a target without sealed files. Raises what ``layers`` raises for keys and seals.
        """
        sealed = sealed_files(target.recipe)
        if not sealed or not snapshot.trusted:
            return ["untrusted"] if sealed else []
        return [(path, self._keys.opens(self._seal(snapshot, path, target.name))) for path in sealed]

    async def layers(self, snapshot: Snapshot, target: Target, contents: Mapping[str, bytes]) -> list[Layer]:
        """Of the recipe's values files, lowest first.

        Raises TerminalError ``sops-untrusted`` and what open_file and read_layer raise.
        """
        sealed = sealed_files(target.recipe)
        if sealed and not snapshot.trusted:
            raise _untrusted(sealed[0], target)
        files = target.recipe.values if isinstance(target.recipe, HelmRecipe | TemplateRecipe) else ()
        if not sealed:
            return [read_layer(contents[path], path, subject=target.name) for path in files]
        return await asyncio.to_thread(lambda: [self._layer(contents[path], path, target) for path in files])

    def _layer(self, text: bytes, path: str, target: Target) -> Layer:
        if path not in sealed_files(target.recipe):
            return read_layer(text, path, subject=target.name)
        opened = open_file(text, path, self._keys, subject=target.name)
        return layer_of(opened.document, opened.secrets, subject=target.name)

    def _seal(self, snapshot: Snapshot, path: str, subject: str) -> Seal:
        blob = snapshot.files[path].id
        if blob not in self._known:
            document = load_document(snapshot.read(path), path)
            self._known[blob] = read_seal(document.value.get(KEY), path, subject=subject)
        return self._known[blob]


@contextmanager
def discreet(private: Callable[[], SecretValues]) -> Iterator[None]:
    """An error that leaves it says nothing of ``private``, whoever quoted it; nobody else pays for looking."""
    try:
        yield
    except ClusterOpsError as error:
        if secrets := private():
            _strike(error, secrets)
        raise
    except Exception as error:
        if private():
            raise Defect.of(error) from None
        raise


def _strike(error: ClusterOpsError, secrets: SecretValues) -> None:
    error.subject, error.message, error.hint = (
        secrets.struck(text) for text in (error.subject, error.message, error.hint)
    )
    error.args = (error.code, error.subject, error.message)
    if isinstance(error, SeveralProblems):
        error.problems = tuple(problem.struck(secrets.struck) for problem in error.problems)


def _untrusted(path: str, target: Target) -> TerminalError:
    return TerminalError(
        "sops-untrusted",
        target.name,
        "comes from a fork: its secrets are not decrypted",
        hint="somebody who may write to the repository can push the same commits to a branch of it",
        path=path,
    )
