#!/bin/sh
# Throw-away keys and SOPS files, made by age-keygen and sops: sh make.sh DIRECTORY
# Last run with sops 3.13.3 and age 1.3.2; the files are committed, as building sops takes minutes.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "${1:-$here}"
rm -f ./*.yaml ./*.key
for name in first second stranger; do age-keygen -o "$name.key" 2>/dev/null; done
public() { age-keygen -y "$1.key"; }
both=$(public first),$(public second)

encrypt() { # FILE, then options of sops; the text comes from standard input
  file=$1; shift
  sops encrypt --input-type yaml --output-type yaml --filename-override "$file" "$@" > "$file"
}

all_types() {
  cat <<'TEXT'
# a comment that is encrypted
text: canary-text-5b1f
empty: ""
whole: 4711
negative: -12
fraction: 2.50
large: 1.0e+25
yes: true
no: false
nothing: null
day: 2026-03-01
moment: 2026-03-01T10:20:30.50Z
"quoted": "12"
octal: 0o17
block: |
  canary-line-one-77aa
  canary-line-two-88bb
umlaut: "Grüße: \"x\"\n"
deep:
  list:
    - canary-item-91cd
    # a comment in a list
    - {name: inner, token: canary-token-03ef}
    - [1, 2]
  plain_unencrypted: seen by all
  plain_map_unencrypted:
    a: 1
    b: 1_000
    c: yes
    d: 0777
    e: 1e3
    f: 2026-03-01
    g: .5
TEXT
}

all_types | sed 's/^yes:/truth:/; s/^no:/lie:/; s/^    c: yes/    c: "yes"/' > plain.txt
encrypt all.yaml --age "$both" < plain.txt
printf 'creation_rules: [{age: %s, mac_only_encrypted: true}]\n' "$(public first)" > .sops.yaml
encrypt narrow.yaml < plain.txt
rm .sops.yaml
encrypt suffix.yaml --age "$(public first)" --encrypted-suffix _secret <<'TEXT'
version: v1.34.1
pools: {a: {replicas: 3, on: "yes", since: 2026-03-01 10:20:30}}
password_secret: canary-suffix-6f2b
map_secret: {a: [canary-in-list-2d9e], n: 7}
hex: 0xFF
TEXT
encrypt regex.yaml --age "$(public first)" --encrypted-regex '^(password|token)$' <<'TEXT'
clusterops: {labels: {team: a}}
version: v1.34.1
users:
  - name: ops
    password: canary-regex-9a4c
TEXT
encrypt others.yaml --age "$(public first)" --unencrypted-regex '^open' <<'TEXT'
open: {a: 1}
closed: canary-closed-4e1d
TEXT
cat > .sops.yaml <<TEXT
creation_rules:
  - shamir_threshold: 2
    key_groups:
      - age: [$(public first)]
      - age: [$(public second)]
TEXT
printf 'a: canary-shamir-77\n' | encrypt shamir.yaml
rm -f .sops.yaml
encrypt foreign.yaml --age "$(public stranger)" <<'TEXT'
a: canary-foreign-1c3d
TEXT
printf 'creation_rules: [{age: %s, encrypted_comment_regex: secret}]\n' "$(public first)" > .sops.yaml
encrypt comments.yaml <<'TEXT'
# secret
a: canary-comment-0b7e
b: 1
TEXT
rm -f plain.txt .sops.yaml
