#!/usr/bin/env python3
"""A second verifier of whowas's proofs, written from docs/EVIDENCE.md with nothing but the standard library.

    verify.py PROOF [--key VKEY] [--checkpoint OLDER]

It prints what the proof shows and ends with 0, or says what does not hold and ends with 1.
"""

import argparse
import base64
import binascii
import datetime
import hashlib
import sys


class Refuted(Exception):
    """Something in the proof does not hold."""


# ---- Ed25519 (RFC 8032), for verifying alone, so nothing here has to be secret or fast

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)


def recover_x(y, sign):
    """The x of a point with this y, whose lowest bit is `sign`."""
    if y >= P:
        raise Refuted("a point of a signature is not written in the one right way")
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (x * x - square) % P or (x == 0 and sign):
        raise Refuted("a point of a signature is not on the curve")
    return P - x if x & 1 != sign else x


def point(encoded):
    """A point (X, Y, Z, T) from its 32 bytes."""
    number = int.from_bytes(encoded, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    x = recover_x(y, sign)
    return x, y, 1, x * y % P


def add(p, q):
    a = (p[1] - p[0]) * (q[1] - q[0]) % P
    b = (p[1] + p[0]) * (q[1] + q[0]) % P
    c = 2 * p[3] * q[3] * D % P
    d = 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(factor, p):
    result = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            result = add(result, p)
        p = add(p, p)
        factor >>= 1
    return result


def same(p, q):
    return not ((p[0] * q[2] - q[0] * p[2]) % P or (p[1] * q[2] - q[1] * p[2]) % P)


BASE_Y = 4 * pow(5, -1, P) % P
BASE = (recover_x(BASE_Y, 0), BASE_Y, 1, recover_x(BASE_Y, 0) * BASE_Y % P)


def is_signed(public, message, signature):
    """Whether the signature of 64 bytes was made of the message with the public key's private half."""
    if len(signature) != 64 or len(public) != 32:
        return False
    r, s = signature[:32], int.from_bytes(signature[32:], "little")
    if s >= ORDER:
        return False
    k = int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % ORDER
    return same(times(s, BASE), add(point(r), times(k, point(public))))


# ---- signed notes and checkpoints


def unbase64(text):
    try:
        value = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise Refuted("it is no base64: " + text) from error
    if base64.b64encode(value).decode() != text:
        raise Refuted("base64 is not written in the one right way: " + text)
    return value


def unhex(text):
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise Refuted("it is no hash: " + text)
    return bytes.fromhex(text)


def key_hash(name, public):
    return hashlib.sha256(name.encode() + b"\n\x01" + public).digest()[:4]


def verifier_key(text):
    """The name and the public key of NAME+HASH+KEY."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise Refuted("it is no verifier key: " + text)
    name, told, key = parts[0], parts[1], unbase64(parts[2])
    if len(key) != 33 or key[0] != 1 or key_hash(name, key[1:]).hex() != told:
        raise Refuted("it is no Ed25519 verifier key: " + text)
    # With a point of small order one signature fits every text.
    if same(times(8, point(key[1:])), (0, 1, 1, 0)):
        raise Refuted("signatures of this verifier key show nothing: " + text)
    return name, key[1:]


def micros(text):
    """The microseconds since 1970 of an instant as `2026-03-04T04:53:20.123456Z`, with a fraction of any length or none."""
    try:
        whole, _, fraction = text.removesuffix("Z").partition(".")
        at = datetime.datetime.fromisoformat(whole + "+00:00") - datetime.datetime.fromtimestamp(0, datetime.timezone.utc)
        return (at.days * 86_400 + at.seconds) * 1_000_000 + int((fraction + "000000")[:6])
    except ValueError as error:
        raise Refuted("it is no time: " + text) from error


class Checkpoint:
    """What a signed note says, after its signature was checked."""

    def __init__(self, note, key):
        name, public = key
        text, gap, signatures = note.removesuffix("\n").rpartition("\n\n")
        if not gap or not note.endswith("\n"):
            raise Refuted("it is no signed note")
        text, signatures = text + "\n", signatures.split("\n")
        if len(set(signatures)) != len(signatures):
            raise Refuted("a signature stands in a note twice")
        if not any([self.is_by(line, name, public, text) for line in signatures]):
            raise Refuted("a checkpoint is not signed with the key " + name)
        lines = text.split("\n")
        if len(lines) != 6 or lines[0] != name or not lines[3].startswith("commit ") or lines[5] != "":
            raise Refuted("it is no checkpoint of " + name)
        if not lines[1].isascii() or not lines[1].isdigit() or str(int(lines[1])) != lines[1]:
            raise Refuted("the size of a checkpoint is no number")
        if not lines[4].startswith("recorded "):
            raise Refuted("a checkpoint lacks its time")
        self.text, self.tenant = text, name.removeprefix("whowas/")
        self.size, self.root = int(lines[1]), unbase64(lines[2])
        self.commit, self.recorded = unhex(lines[3].removeprefix("commit ")), lines[4].removeprefix("recorded ")
        self.micros = micros(self.recorded)
        if len(self.root) != 32:
            raise Refuted("the root of a checkpoint is no hash")

    @staticmethod
    def is_by(line, name, public, text):
        start = "— " + name + " "
        if not line.startswith(start):
            return False
        signature = unbase64(line.removeprefix(start))
        if signature[:4] != key_hash(name, public):
            return False
        if not is_signed(public, text.encode(), signature[4:]):
            raise Refuted("a signature does not fit its text")
        return True

    def __str__(self):
        return f"{self.size} commits, the newest recorded {self.recorded}"


# ---- the tree (RFC 6962)


def leaf_hash(data):
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def must_continue(older, newer, path):
    """RFC 6962, 2.1.2: the older tree is the beginning of the newer."""
    broken = Refuted(f"the log of {older.size} commits is not the beginning of the log of {newer.size}")
    if older.size == 0:
        if path or older.root != hashlib.sha256().digest():
            raise broken
        return
    if not 0 < older.size <= newer.size:
        raise broken
    if older.size == newer.size:
        if path or older.text != newer.text:
            raise broken
        return
    # The places of the last leaf of the older tree and of the newer, walked up to where the older one ends in a node.
    old, new, path = older.size - 1, newer.size - 1, list(path)
    while old & 1:
        old, new = old >> 1, new >> 1
    if not path:
        raise broken
    # An older tree that is one whole subtree is itself where the walk begins.
    first = older.root if old == 0 else path.pop(0)
    old_root = new_root = first
    while new:
        if old & 1 or old == new:
            if not path:
                raise broken
            step = path.pop(0)
            old_root, new_root = node_hash(step, old_root), node_hash(step, new_root)
            while not old & 1 and old:
                old, new = old >> 1, new >> 1
        else:
            if not path:
                raise broken
            new_root = node_hash(new_root, path.pop(0))
        old, new = old >> 1, new >> 1
    if path or old_root != older.root or new_root != newer.root:
        raise broken


def cut_root(size, shown, rest):
    """The root of a tree of which some leaves are shown, {place: leaf}, and the rest stands from left to right."""
    rest = list(rest)

    def walk(low, high, places):
        if not places:
            if not rest:
                raise Refuted("a hash beside what is shown is missing")
            return rest.pop(0)
        if high - low == 1:
            return shown[places[0]]
        middle = low + 2 ** ((high - low - 1).bit_length() - 1)
        left = walk(low, middle, [place for place in places if place < middle])
        return node_hash(left, walk(middle, high, [place for place in places if place >= middle]))

    if not shown or min(shown) < 0 or max(shown) >= size:
        raise Refuted("what is shown is not in the tree")
    root = walk(0, size, sorted(shown))
    if rest:
        raise Refuted("there is a hash too many beside what is shown")
    return root


# ---- the file


class Lines:
    def __init__(self, text):
        if not text.endswith("\n"):
            raise Refuted("the last line has no end")
        self.lines = text[:-1].split("\n")

    def next(self):
        if not self.lines:
            raise Refuted("the proof is cut short")
        return self.lines.pop(0)

    def is_next(self, word):
        return bool(self.lines) and (self.lines[0] == word or self.lines[0].startswith(word + " "))

    def exactly(self, wanted):
        found = self.next()
        if found != wanted:
            raise Refuted(f"{wanted!r} was expected, and there is {found!r}")

    def word(self, word):
        line = self.next()
        if not line.startswith(word + " ") or line == word + " ":
            raise Refuted(f"'{word} …' was expected, and there is {line!r}")
        return line.removeprefix(word + " ")

    def note(self):
        note = ""
        while self.lines and self.lines[0].startswith("|"):
            line = self.next()
            if line != "|" and not line.startswith("| ") or line == "| ":
                raise Refuted("a line of a checkpoint is not written in the one right way")
            note += line[2:] + "\n"
        return note

    def hashes(self, word):
        found = []
        while self.is_next(word):
            found.append(unhex(self.word(word)))
        return found


def number(text, limit):
    if not text.isascii() or not text.isdigit() or str(int(text)) != text or int(text) >= limit:
        raise Refuted("it is no number: " + text)
    return int(text)


def signed_number(text):
    value = number(text.removeprefix("-"), 2**63)
    if text.startswith("-"):
        value = -value
    if str(value) != text:
        raise Refuted("it is no number: " + text)
    return value


def hex_bytes(text):
    if len(text) % 2 or set(text) - set("0123456789abcdef"):
        raise Refuted("these are no bytes: " + text)
    return bytes.fromhex(text)


def shown_commit(lines, tenant):
    """The number of a commit, its hash as it follows from what is shown, and the bytes of the facts shown."""
    sequence = number(lines.word("commit"), 2**64)
    previous = unhex(lines.word("previous"))
    recorded = signed_number(lines.word("recorded"))
    items = number(lines.word("items"), 2**32)
    leaves, facts, last = {}, [], -1
    while lines.is_next("item"):
        parts = lines.word("item").split(" ")
        if len(parts) != 3:
            raise Refuted("'item PLACE SALT BYTES' was expected")
        place, salt, said = number(parts[0], 2**32), hex_bytes(parts[1]), hex_bytes(parts[2])
        if len(salt) != 16 or place <= last or place + 1 >= items:
            raise Refuted("an item is out of its place, or the last one, which is no fact")
        leaves[place], last = leaf_hash(salt + said), place
        facts.append(said)
    payload = cut_root(items, leaves, lines.hashes("rest"))
    header = b"\x02" + tenant + sequence.to_bytes(8, "big") + recorded.to_bytes(8, "big", signed=True)
    digest = hashlib.sha256(previous + header + items.to_bytes(4, "big") + payload).digest()
    return sequence, previous, recorded, digest, facts


def snapshot_part(lines, checkpoint):
    """Traces every fact to the checkpoint. What follows from the facts is left to the program's own verifier."""
    snapshot, chain = lines.word("snapshot"), lines.word("chain")
    owner, confidence, settled = lines.word("owner"), lines.word("confidence"), lines.word("settled")
    while lines.is_next("candidate"):
        lines.word("candidate")
    tenant = bytes.fromhex(checkpoint.tenant.replace("-", ""))
    leaves, count, last, before, when = {}, 0, 0, None, None
    while lines.is_next("commit"):
        sequence, previous, recorded, digest, facts = shown_commit(lines, tenant)
        if sequence <= last or when is not None and recorded < when:
            raise Refuted("the commits are not in their order")
        if sequence == last + 1 and before not in (None, previous):
            raise Refuted("a commit does not follow on the one before it")
        if sequence == 1 and previous != bytes(32):
            raise Refuted("the first commit does not begin the chain")
        if recorded > checkpoint.micros:
            raise Refuted("a commit was recorded after the newest one")
        if sequence == checkpoint.size and (digest, recorded) != (checkpoint.commit, checkpoint.micros):
            raise Refuted("the checkpoint says something else of its newest commit")
        leaves[sequence - 1], last, before, when = leaf_hash(digest), sequence, digest, recorded
        count += len(facts)
    if cut_root(checkpoint.size, leaves, lines.hashes("log")) != checkpoint.root:
        raise Refuted("the facts do not lead to the root of the checkpoint")
    return [
        f"claims: snapshot {snapshot} of chain {chain} holds the data of {owner} ({confidence}, settled {settled})",
        f"all {count} facts shown, of {len(leaves)} commits, are in the log",
        "NOT DERIVED HERE: that the claim follows from these facts; `whowas verify-proof` derives it",
    ]


def verify(text, trusted, kept):
    lines = Lines(text)
    lines.exactly("whowas-proof/1")
    told = lines.word("key")
    if trusted is not None and trusted != told:
        raise Refuted(f"it was made with the key {told}, not with {trusted}")
    key = verifier_key(told)
    lines.exactly("checkpoint")
    checkpoint = Checkpoint(lines.note(), key)
    shown = [f"checkpoint: {checkpoint}"]
    known = [checkpoint]
    if lines.is_next("older"):
        lines.exactly("older")
        older = Checkpoint(lines.note(), key)
        must_continue(older, checkpoint, lines.hashes("consistency"))
        known.append(older)
        shown.append(f"continues: {older}")
    if lines.is_next("snapshot"):
        shown += snapshot_part(lines, checkpoint)
    if lines.lines:
        raise Refuted(f"the proof should end at {lines.lines[0]!r}")
    if kept is not None:
        kept = Checkpoint(kept, key)
        same_size = [one for one in known if one.size == kept.size]
        if not same_size:
            raise Refuted(f"it tells nothing of the checkpoint of {kept.size} commits that was kept")
        if all(one.text != kept.text for one in same_size):
            raise Refuted(f"there are two histories of {kept.size} commits")
        shown.append("the checkpoint that was kept is the same")
    return shown


def read(path):
    with open(path, "rb") as file:
        try:
            return file.read().decode()
        except UnicodeDecodeError as error:
            raise Refuted(f"{path} is no text in UTF-8") from error


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("proof")
    parser.add_argument("--key")
    parser.add_argument("--checkpoint")
    options = parser.parse_args()
    try:
        kept = read(options.checkpoint) if options.checkpoint else None
        for line in verify(read(options.proof), options.key, kept):
            print(line)
    except Refuted as refuted:
        print(f"it does not hold: {refuted}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
