"""SOPS files, read as sops reads them. sops_files/ were made by sops 3.13.3 and age 1.3.2 (see make.sh there)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from clusterops.errors import TerminalError
from clusterops.model.secret import SecretText
from clusterops.render.sops import AgeKeys, Opened, open_file
from clusterops.render.sops.cipher import float_text
from clusterops.render.sops.scalars import content_of
from tests.sealed import AgeKey, sealed

FILES = Path(__file__).parent / "sops_files"
FIRST = (FILES / "first.key").read_text()
SECOND = (FILES / "second.key").read_text()
STRANGER = (FILES / "stranger.key").read_text()
ALL_TYPES: dict[str, Any] = {
    "text": "canary-text-5b1f",
    "empty": "",
    "whole": 4711,
    "negative": -12,
    "fraction": 2.5,
    "large": 1e25,
    "truth": True,
    "lie": False,
    "nothing": None,
    "day": "2026-03-01T00:00:00Z",
    "moment": "2026-03-01T10:20:30.5Z",
    "quoted": "12",
    "octal": 15,
    "block": "canary-line-one-77aa\ncanary-line-two-88bb\n",
    "umlaut": 'Grüße: "x"\n',
    "deep": {
        "list": ["canary-item-91cd", {"name": "inner", "token": "canary-token-03ef"}, [1, 2]],
        "plain_unencrypted": "seen by all",
        "plain_map_unencrypted": {
            "a": 1,
            "b": 1000,
            "c": "yes",
            "d": 511,
            "e": 1000,
            "f": "2026-03-01T00:00:00Z",
            "g": 0.5,
        },
    },
}
"""As `sops decrypt all.yaml` prints it."""


def keys(*texts: str) -> AgeKeys:
    return AgeKeys(text=SecretText("\n".join(texts)))


def opened(name: str, *texts: str) -> Opened:
    return open_file((FILES / name).read_bytes(), name, keys(*(texts or (FIRST,))), subject="eu/web")


def error_of(text: bytes, *texts: str, name: str = "f.yaml") -> TerminalError:
    with pytest.raises(TerminalError) as caught:
        open_file(text, name, keys(*texts), subject="eu/web")
    return caught.value


@pytest.mark.parametrize("name", ["all.yaml", "narrow.yaml"])
def test_every_type_opens_to_what_sops_prints(name: str) -> None:
    found = opened(name)
    assert found.document.value == ALL_TYPES
    assert ("deep", "list", 1, "token") in found.secrets
    assert not any(pointer[:2] == ("deep", "plain_unencrypted") for pointer in found.secrets)


@pytest.mark.parametrize("key", [FIRST, SECOND, f"{STRANGER}\n{SECOND}"], ids=["first", "second", "among others"])
def test_any_recipient_opens_it(key: str) -> None:
    assert opened("all.yaml", key).document.value == ALL_TYPES


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        (
            "suffix.yaml",
            {
                "version": "v1.34.1",
                "pools": {"a": {"replicas": 3, "on": "yes", "since": "2026-03-01T10:20:30Z"}},
                "password_secret": "canary-suffix-6f2b",
                "map_secret": {"a": ["canary-in-list-2d9e"], "n": 7},
                "hex": 255,
            },
            {("password_secret",), ("map_secret", "a", 0), ("map_secret", "n")},
        ),
        (
            "regex.yaml",
            {
                "clusterops": {"labels": {"team": "a"}},
                "version": "v1.34.1",
                "users": [{"name": "ops", "password": "canary-regex-9a4c"}],
            },
            {("users", 0, "password")},
        ),
        ("others.yaml", {"open": {"a": 1}, "closed": "canary-closed-4e1d"}, {("closed",)}),
    ],
)
def test_only_what_the_file_s_rules_name_is_encrypted(name: str, value: Any, secrets: set[Any]) -> None:
    found = opened(name)
    assert found.document.value == value
    assert found.secrets == secrets


def test_values_keep_the_place_at_which_they_stand() -> None:
    document = opened("regex.yaml").document
    lines = (FILES / "regex.yaml").read_text().splitlines()
    mark = document.key_mark(("users", 0, "password"))
    assert lines[mark.line - 1].strip().startswith("password:")
    assert "sops" not in document.value
    in_list = opened("all.yaml").document.key_mark(("deep", "list", 1, "token"))
    assert (FILES / "all.yaml").read_text().splitlines()[in_list.line - 1].strip().startswith("token:")


def test_nothing_that_was_decrypted_is_in_a_repr() -> None:
    assert "canary" not in repr(opened("all.yaml")) + repr(keys(FIRST))
    assert "AGE-SECRET" not in repr(keys(FIRST))


TAMPERED = {
    "plain value changed": ("regex.yaml", lambda text: text.replace("v1.34.1", "v1.35.0"), "sops-mac-mismatch"),
    "value removed": ("regex.yaml", lambda text: text.replace("version: v1.34.1\n", ""), "sops-mac-mismatch"),
    "value added": ("regex.yaml", lambda text: "more: 1\n" + text, "sops-mac-mismatch"),
    "MAC of another file": (
        "regex.yaml",
        lambda text: text.replace(_mac(text), _mac((FILES / "others.yaml").read_text())),
        "sops-mac-mismatch",
    ),
    "time changed": (
        "regex.yaml",
        lambda text: re.sub(r'lastmodified: "\d+', 'lastmodified: "2020', text),
        "sops-mac-mismatch",
    ),
    "plain where it is encrypted": (
        "others.yaml",
        lambda text: re.sub(r"closed: .*", "closed: mine", text),
        "sops-invalid",
    ),
    "moved to another key": ("others.yaml", lambda text: text.replace("closed:", "shut:"), "sops-invalid"),
    "cut": ("others.yaml", lambda text: text.replace("data:", "data:A"), "sops-invalid"),
    "number where it is encrypted": (
        "others.yaml",
        lambda text: re.sub(r"closed: .*", "closed: 5", text),
        "sops-invalid",
    ),
    "data key cut": (
        "others.yaml",
        lambda text: re.sub(r"(BEGIN AGE ENCRYPTED FILE-----\n\s+)YWdl", r"\1YWdm", text),
        "sops-invalid",
    ),
    "no time": ("others.yaml", lambda text: re.sub(r"lastmodified: .*", "lastmodified: never", text), "sops-invalid"),
    "no MAC": ("others.yaml", lambda text: re.sub(r"\n\s+mac: .*", "", text), "sops-invalid"),
    "no recipients": ("others.yaml", lambda text: re.sub(r"    age:\n(        .*\n)+", "", text), "sops-invalid"),
    "no mapping": ("others.yaml", lambda text: text.partition("sops:")[0] + "sops: 1\n", "sops-invalid"),
    "merge key": ("others.yaml", lambda text: "<<: {x: 1}\n" + text, "sops-unsupported"),
    "other readers": ("others.yaml", lambda text: "yes: 1\n" + text, "sops-unsupported"),
}


def _mac(text: str) -> str:
    found = re.search(r"mac: (.*)", text)
    assert found
    return found.group(1)


@pytest.mark.parametrize(("name", "change", "code"), TAMPERED.values(), ids=list(TAMPERED))
def test_a_file_that_was_changed_is_refused(name: str, change: Any, code: str) -> None:
    text = (FILES / name).read_text()
    assert change(text) != text
    error = error_of(change(text).encode(), FIRST)
    assert error.code == code
    assert "canary" not in f"{error} {error.hint}"
    assert error.path == "f.yaml"


def test_a_missing_key_names_the_recipients_and_the_setting() -> None:
    public = _recipient("foreign.yaml")
    error = error_of((FILES / "foreign.yaml").read_bytes(), name="clusters/eu/web/secrets.yaml")
    assert str(error) == (
        f"clusters/eu/web/secrets.yaml: eu/web: is encrypted for {public}, and there is no X25519 age key here"
        " (sops-key-missing)"
    )
    assert "CLUSTEROPS_RENDER_AGE_KEY_FILE" in error.hint


def test_a_rotated_key_says_so_with_both_public_keys() -> None:
    error = error_of((FILES / "foreign.yaml").read_bytes(), FIRST, name="s.yaml")
    assert error.code == "sops-key-missing"
    assert "one of the two was rotated" in error.message
    assert _recipient("foreign.yaml") in error.message
    assert keys(FIRST).public[0] in error.message
    assert "`sops updatekeys s.yaml`" in error.hint


def _recipient(name: str) -> str:
    recipient = yaml.safe_load((FILES / name).read_text())["sops"]["age"][0]["recipient"]
    assert isinstance(recipient, str)
    return recipient


@pytest.mark.parametrize(
    ("name", "words"), [("shamir.yaml", "Shamir, 2 key groups"), ("comments.yaml", "encrypted_comment_regex")]
)
def test_what_is_not_read_is_named(name: str, words: str) -> None:
    error = error_of((FILES / name).read_bytes(), FIRST, SECOND)
    assert error.code == "sops-unsupported"
    assert words in error.message


def test_a_file_for_other_kinds_of_keys_names_them() -> None:
    body = yaml.safe_load((FILES / "others.yaml").read_text())
    del body["sops"]["age"]
    body["sops"] |= {"pgp": [{"fp": "x", "enc": "y"}], "kms": [{"arn": "x", "enc": "y"}]}
    error = error_of(yaml.safe_dump(body).encode(), FIRST)
    assert (error.code, error.message) == (
        "sops-unsupported",
        "is encrypted for PGP and AWS KMS only; ClusterOps decrypts with age keys",
    )


@pytest.mark.parametrize("line", ["AGE-SECRET-KEY-1GARBAGE", "ssh-ed25519", "hunter2"])
def test_a_line_that_is_no_identity_is_told_by_its_number_alone(line: str, tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    file.write_text(f"# created: today\n\n{line}\n")
    with pytest.raises(TerminalError) as caught:
        _ = AgeKeys(file=file).public
    assert caught.value.code == "sops-key-invalid"
    assert f"{file}: line 3 is no X25519 identity" in caught.value.message
    assert line not in f"{caught.value} {caught.value.hint}"
    assert caught.value.__cause__ is None


def test_identities_of_other_kinds_are_left_to_sops() -> None:
    assert keys(f"AGE-PLUGIN-YUBIKEY-1ABC\nAGE-SECRET-KEY-PQ-1ABC\n{FIRST}").public == keys(FIRST).public


def test_a_key_file_is_read_anew_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    held = AgeKeys(file=file)
    with pytest.raises(TerminalError) as caught:
        _ = held.public
    assert caught.value.code == "sops-key-unreadable"
    file.write_text(FIRST)
    assert held.public == keys(FIRST).public
    (tmp_path / "next").write_text(SECOND)
    (tmp_path / "next").replace(file)
    assert held.public == keys(SECOND).public


def test_identities_come_from_all_three_places(tmp_path: Path) -> None:
    file = tmp_path / "keys.txt"
    file.write_text(FIRST)
    held = AgeKeys(text=SecretText(SECOND), file=file, secret="age/key")
    assert held.give(SecretText(STRANGER))
    assert not held.give(SecretText(STRANGER))
    assert held.public == keys(FIRST, SECOND, STRANGER).public
    assert held.give(SecretText(""))
    assert held.public == keys(FIRST, SECOND).public


@pytest.mark.parametrize(
    ("text", "content"),
    [
        # go.yaml.in/yaml/v3 decode_test.go, as sops.ToBytes spells them
        ("685_230", "685230"),
        ("+685230", "685230"),
        ("02472256", "685230"),
        ("0o2472256", "685230"),
        ("0x_0A_74_AE", "685230"),
        ("0b1010_0111_0100_1010_1110", "685230"),
        ("-0b101010", "-42"),
        ("6.8523015e+5", "685230.15"),
        ("685.230_15e+03", "685230.15"),
        ("1e-7", "0.0000001"),
        ("190:20:30", "190:20:30"),
        ("yes", "yes"),
        ("True", "True"),
        ("2015-02-24T18:19:39.12Z", "2015-02-24T18:19:39.12Z"),
        ("2015-2-3T3:4:5Z", "2015-02-03T03:04:05Z"),
        ("2015-02-24t18:19:39+05:30", "2015-02-24T18:19:39+05:30"),
        ("2015-02-24 18:19:39", "2015-02-24T18:19:39Z"),
        ("2015-02-30", "2015-02-30"),
        ("v1.34.1", "v1.34.1"),
        ("1.34.1", "1.34.1"),
        ("089", "89"),
        ("-", "-"),
    ],
)
def test_a_plain_scalar_is_in_the_mac_as_sops_reads_it(text: str, content: str) -> None:
    node = yaml.ScalarNode("clusterops,plain", text)
    assert content_of(node) == content.encode()


def test_floats_are_spelled_without_an_exponent() -> None:
    assert [float_text(one) for one in (1e25, 2.5, 100.0, 1e-9)] == [
        "10000000000000000000000000",
        "2.5",
        "100",
        "0.000000001",
    ]


def test_what_the_tests_write_opens() -> None:
    key = AgeKey()
    values = {"clusterops": {"mode": "apply"}, "a": {"b": ["canary", 5, True]}, "c": ""}
    found = open_file(sealed(values, key), "s.yaml", keys(key.text), subject="")
    assert found.document.value == values
