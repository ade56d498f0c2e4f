"""Checks an evidence bundle of Docket: check_bundle.py BUNDLE.zip [PUBLIC-KEY.txt]. See docs/evidence.md."""

import base64
import hashlib
import json
import sys
import zipfile

# Ed25519 (RFC 8032), verification alone.
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def point(data):
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or (x * x - x2) % P or (x == 0 and sign):
        raise ValueError("no point of the curve")
    x = P - x if x & 1 != sign else x
    return x, y, 1, x * y % P


def add(a, b):
    k, m = (a[1] - a[0]) * (b[1] - b[0]), (a[1] + a[0]) * (b[1] + b[0])
    n, o = 2 * a[3] * b[3] * D, 2 * a[2] * b[2]
    e, f, g, h = m - k, o - n, o + n, m + k
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(scalar, a):
    result = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = add(result, a)
        a, scalar = add(a, a), scalar >> 1
    return result


BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_signed(public, message, signature):
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % L
    a, b = times(s, BASE), add(point(r), times(k, point(public)))
    return (a[0] * b[2] - b[0] * a[2]) % P == 0 and (a[1] * b[2] - b[1] * a[2]) % P == 0


# Signed notes (C2SP signed-note).
def open_note(note, key):
    name, _, rest = key.strip().partition("+")
    public = base64.b64decode(rest.partition("+")[2])
    key_id = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    text, _, signatures = note.rpartition("\n\n")
    for line in signatures.splitlines():
        dash, signer, blob = line.split(" ")
        blob = base64.b64decode(blob)
        if dash == "\u2014" and signer == name and blob[:4] == key_id:
            if public[0] == 1 and is_signed(public[1:], (text + "\n").encode(), blob[4:]):
                return name, text.splitlines()
    sys.exit("a note is not signed with the log's key")


# Merkle trees (RFC 6962 and RFC 9162, 2.1.3.2).
def root_by(proof, leaf, place, size):
    node, place, last = hashlib.sha256(b"\0" + leaf).digest(), place, size - 1
    for sibling in proof:
        if last == 0:
            return None
        if place & 1 or place == last:
            node = hashlib.sha256(b"\1" + sibling + node).digest()
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = hashlib.sha256(b"\1" + node + sibling).digest()
        place, last = place >> 1, last >> 1
    return node if last == 0 else None


def main():
    bundle = zipfile.ZipFile(sys.argv[1])
    told = bundle.read("public-key.txt").decode()
    key = open(sys.argv[2], encoding="utf-8").read() if len(sys.argv) > 2 else told
    manifest = bundle.read("manifest.json")
    name, lines = open_note(bundle.read("manifest.txt").decode(), key)
    if lines != [name, "Docket bundle", hashlib.sha256(manifest).hexdigest()]:
        sys.exit("manifest.json is not the one that was signed")
    manifest = json.loads(manifest)
    listed = {file["name"]: file["sha256"] for file in manifest["files"]}
    if set(bundle.namelist()) != {*listed, "manifest.json", "manifest.txt"}:
        sys.exit("the bundle has other files than were signed")
    for file, digest in listed.items():
        if hashlib.sha256(bundle.read(file)).hexdigest() != digest:
            sys.exit(f"{file} is not the file that was signed")
    _, (origin, size, root) = open_note(bundle.read("checkpoint.txt").decode(), key)
    size, root = int(size), base64.b64decode(root)
    events = bundle.read("events.jsonl").split(b"\n")[:-1]
    proofs = bundle.read("proofs.jsonl").split(b"\n")[:-1]
    if origin != name or not len(events) == len(proofs) == manifest["events"]:
        sys.exit("an event is missing, or the checkpoint is of another log")
    for number, (line, proof) in enumerate(zip(events, proofs), 1):
        event, proof = json.loads(line), json.loads(proof)
        hashes = [base64.b64decode(sibling) for sibling in proof["hashes"]]
        found = root_by(hashes, line, event["position"] - 1, size)
        if (event["stream"], event["sequence"]) != (manifest["stream"], number) or found != root:
            sys.exit(f"event {number} is not in the log of which the checkpoint was signed")
    print(f"{manifest['stream']}: {len(events)} events are in the log {name} of {size} events")
    if len(sys.argv) < 3:
        print(f"compare this key with the one that you know: {told.strip()}")


main()
