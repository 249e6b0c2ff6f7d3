"""`lendlog proof make|check|head|consistency|key|rotate`: what was signed of the log, and proofs against it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from lendlog.books import AsJson, emit, fields, reading, tell
from lendlog.checkpoint_keys import CHECKPOINTS, current_key, new_name, rotate, rotate_home_key
from lendlog.signals import run_to_end
from services.ledger.proofs.checking import Proved, check
from services.ledger.proofs.head_files import HeadFiles, write_public
from services.ledger.proofs.loan_proof import Proof, make_proof, rendered
from services.ledger.proofs.settings import NotarySettings
from shared.checkpoint import Checkpoint, OtherTree, checkpoint_of, origin_of
from shared.errors import MissingPrecondition, Refusal
from shared.key_rotation import accepted_keys, verify_head
from shared.proofs import consistency_proof, verify_consistency
from shared.settings import PlatformSettings
from shared.signed_note import Note, SigningKey, VerifierKey, decoded, encoded, parse_note, parse_verifier

command = typer.Typer(no_args_is_help=True, help="Prove what stands on the log, and check such proofs.")
CONSISTENCY = "lendlog-consistency/1"
PublicKey = Annotated[str, typer.Option("--key", help="The book's public key, or a file that holds it.")]


@command.command("make")
def make_(
    loan_id: Annotated[str, typer.Argument(help="The loan's id.")],
    out: Annotated[Path, typer.Option(help="Where the file goes.")],
    head: Annotated[Path | None, typer.Option(help="Prove against this signed head, not the last one.")] = None,
    since: Annotated[Path | None, typer.Option(help="An earlier head, which that one must continue.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a file that proves a loan's events against the last signed head."""
    proof = run_to_end(_make(loan_id, read_note(head) if head else None, read_note(since) if since else None))
    stated = checkpoint_of(parse_note(proof.document["head"]))
    write_public(out.resolve(), rendered(proof.document))
    if proof.later:
        tell(f"{proof.later} later events of the loan are below no signed head yet: make the file again in a minute")
    document = {
        "file": str(out),
        "origin": stated.origin,
        "size": stated.size,
        "events": proof.proved,
        "later": proof.later,
    }
    emit(document, fields(document), as_json=as_json)


@command.command("check")
def check_(
    file: Annotated[Path, typer.Argument(help="What `lendlog proof make` wrote.")],
    key: PublicKey,
    witness: Annotated[str | None, typer.Option(help="A witness's public key, whose signature is asked for.")] = None,
    since: Annotated[Path | None, typer.Option(help="A head that you kept, which the proof must continue.")] = None,
    rotation: Annotated[list[Path] | None, typer.Option(help="A rotation of the key that you know of.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a proof with nothing but the public key; exit code 1 and the reason if it proves nothing."""
    trusted, cosigner = public_key(key), public_key(witness) if witness else None
    kept, content = read_note(since) if since else None, _content(file)
    try:
        proved = check(content, trusted, witness=cosigner, kept=kept, rotations=[*map(read_note, rotation or ())])
    except Refusal as refusal:
        _not_proved(refusal, as_json=as_json)
    emit(proved.document(), _words(proved), as_json=as_json)


@command.command()
def head(
    partition: Annotated[int | None, typer.Argument(help="One partition: prints the signed head itself.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the last signed head of each partition."""
    files = head_files()
    heads = {p: note for p in files.partitions() if partition in (None, p) and (note := files.latest(p))}
    if not heads:
        raise MissingPrecondition(f"{files.folder} holds no signed head: `lendlog run` signs one a minute.")
    document = {"heads": [_stated(note) for note in heads.values()]}
    lines = [f"{one['origin']}  {one['size']} records  {one['root']}" for one in document["heads"]]
    emit(document, lines if partition is None else [heads[partition].render().rstrip("\n")], as_json=as_json)


@command.command()
def consistency(
    old: Annotated[Path, typer.Argument(help="A signed head.")],
    new: Annotated[Path, typer.Argument(help="A later one of the same tree.")],
    key: Annotated[str | None, typer.Option(help="The book's public key; without it, this installation's.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the proof down, for others.")] = None,
    proof: Annotated[Path | None, typer.Option(help="Check with this proof instead of the log's own tree.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show that one head continues another; exit code 1 and the reason if it does not."""
    earlier, later = read_note(old), read_note(new)
    trusted = public_key(key) if key else current_key(_home()).verifier()
    try:
        document = _consistency(earlier, later, trusted, proof)
    except Refusal as refusal:
        _not_proved(refusal, as_json=as_json)
    if out:
        write_public(out.resolve(), json.dumps(document, indent=1) + "\n")
    line = f"The head of {document['new']} records continues that of {document['old']}: nothing below it was changed."
    emit(document, [line], as_json=as_json)


@command.command("key")
def key_(
    new: Annotated[str | None, typer.Option(help="Make a key of this name (a book's, for ever), and print it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print the public key with which heads are checked."""
    if new is not None:
        made = SigningKey.generate(new or new_name())
        emit({"private_key": made.text(), "public_key": made.verifier().text()}, [made.text()], as_json=as_json)
        return
    held = current_key(_home())
    trees = [held.named(origin_of(held.name, p)).verifier().text() for p in head_files().partitions()]
    public = held.verifier().text()
    emit({"public_key": public, "trees": trees}, [public], as_json=as_json)


@command.command("rotate")
def rotate_(as_json: AsJson = False) -> None:
    """Let a new key take the place of the one that signs; the heads that it signed stay valid. Nothing may run."""
    settings = NotarySettings()
    if settings.checkpoint_key.get_secret_value():
        old = settings.signing_key()
        made = SigningKey.generate(old.name)
        document = {"private_key": made.text(), "public_key": made.verifier().text()}
        emit(document, fields(document), as_json=as_json)  # before it counts: nobody else has it
        rotate(head_files(), old, made)
        return
    made = rotate_home_key(_home())
    emit({"public_key": made.verifier().text()}, [made.verifier().text()], as_json=as_json)


def public_key(text: str) -> VerifierKey:
    """A public key as it is, or the file that holds it. Raises NotAKey."""
    path = Path(text)
    return parse_verifier(path.read_text() if len(text) < 200 and path.is_file() else text)


def read_note(path: Path) -> Note:
    """The signed note of a file. Raises NotANote."""
    return parse_note(_content(path))


def head_files() -> HeadFiles:
    """The folder that LENDLOG_CHECKPOINTS names, else the home's."""
    return HeadFiles(NotarySettings().checkpoints or _home() / CHECKPOINTS)


def _home() -> Path:
    return PlatformSettings().home.expanduser().resolve()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise MissingPrecondition(f"{path} can't be read: {error.strerror}.") from None


async def _make(loan_id: str, head: Note | None, since: Note | None) -> Proof:
    files = head_files()
    async with reading() as (platform, connection):
        witnessed = HeadFiles(platform.home.path / "witness")
        proof = await make_proof(connection, files, loan_id, head=head, since=since, cosigned=witnessed.of_size)
    if proof is None:
        raise MissingPrecondition(f"The books hold no loan {loan_id}.")
    return proof


def _consistency(earlier: Note, later: Note, trusted: VerifierKey, file: Path | None) -> dict[str, Any]:
    path, rotations = _given(file) if file else (None, head_files().rotations())
    keys = accepted_keys(trusted, rotations)
    old, new = verify_head(earlier, keys), verify_head(later, keys)
    if old.origin != new.origin:
        raise OtherTree(f"One head is that of {old.origin}, the other that of {new.origin}.", field="origin")
    if old.size > new.size:
        raise OtherTree(f"The earlier head has {old.size} records, the later one {new.size}.", field="size")
    if path is None:
        path = _path(old.size, new)
    verify_consistency(old=old.size, old_root=old.root, new=new.size, new_root=new.root, path=path)
    return {
        "format": CONSISTENCY,
        "origin": new.origin,
        "old": old.size,
        "new": new.size,
        "path": [encoded(one) for one in path],
        "rotations": [note.render() for note in rotations],
    }


def _path(old: int, new: Checkpoint) -> list[bytes]:
    """The proof from the log's own tree."""
    files = head_files()
    with files.tree(new.partition) as tree:
        if tree.size < new.size:
            raise MissingPrecondition(f"The tree in {files.folder} has {tree.size} records only.")
        return consistency_proof(old, new.size, tree.node)


def _given(file: Path) -> tuple[list[bytes], list[Note]]:
    """Path and rotations of a file that `--out` wrote."""
    try:
        document = json.loads(_content(file))
        path = [decoded(str(text)) or b"" for text in document["path"]]
        return path, [parse_note(str(text)) for text in document["rotations"]]
    except (ValueError, KeyError, TypeError):
        raise MissingPrecondition(f"{file} is no proof that `lendlog proof consistency --out` wrote.") from None


def _not_proved(refusal: Refusal, *, as_json: bool) -> NoReturn:
    document = {"proved": False, "rule": refusal.rule(), "reason": refusal.detail}
    emit(document, [f"NOT PROVED ({refusal.rule()}): {refusal.detail}"], as_json=as_json)
    raise typer.Exit(1)


def _stated(note: Note) -> dict[str, Any]:
    stated = checkpoint_of(note)
    root = encoded(stated.root)
    return {
        "origin": stated.origin,
        "partition": stated.partition,
        "size": stated.size,
        "root": root,
        "note": note.render(),
    }


def _words(proved: Proved) -> Iterator[str]:
    head, events = proved.head, proved.events
    plural = "event" if len(events) == 1 else "events"
    yield f"Proved: {len(events)} {plural} of loan {proved.loan_id} stand on the log of {head.origin},"
    yield f"under the signed head of {head.size} records (key {proved.key_id})."
    if proved.closed:
        yield f"The head was signed after the close of {proved.closed}, which stands in the same tree."
    elif proved.opened:
        yield f"The head was signed after the book opened on {proved.opened}; no date was closed yet."
    if proved.witnessed:
        yield f"A witness saw this head as the latest one at {proved.witnessed:%Y-%m-%d %H:%M:%S} UTC."
    if proved.continues is not None:
        yield f"It continues the earlier head of {proved.continues} records: nothing below that was changed."
    for event in events:
        yield f"  {event.index:>10}  {event.effective}  {event.type}  {event.amount}".rstrip()
    yield "Not proved: that the loan has no other events. See docs/proofs.md."
