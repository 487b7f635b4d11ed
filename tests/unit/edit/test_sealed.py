"""Files that SOPS signed are not edited: their MAC would be another one's."""

from __future__ import annotations

import pytest

from clusterops.edit.draft import Draft
from clusterops.errors import RefusedError
from tests.sealed import AgeKey, sealed


def test_a_sealed_file_is_left_to_sops() -> None:
    text = sealed({"replicas": 3, "password": "canary"}, AgeKey(), plain=("replicas",))
    draft = Draft(read=lambda path: text)
    draft.set("values.yaml", ("replicas",), 3, target="eu/web")
    with pytest.raises(RefusedError) as caught:
        draft.set("values.yaml", ("replicas",), 4, target="eu/web")
    assert (caught.value.code, caught.value.hint) == ("edit-sealed", "`sops values.yaml`")
    assert draft.edits.files == {}
