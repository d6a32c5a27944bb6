"""The ``bpbook`` command: open the book, test it, list its claims, prove its formulas.

Every import that takes time is inside the function that needs it, so that ``bpbook --help``
answers at once.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from bpbook import __version__, chapters


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (default: the process's); returns the exit code.

    0: done, everything holds. 1: a proof, a claim, a test or a chapter failed. 2: wrong usage, or
    a file that cannot be read or written.
    """
    for stream in (sys.stdout, sys.stderr):  # a Windows console may not know Greek letters
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    own, rest = _split(list(sys.argv[1:] if argv is None else argv))
    parser = _parser()
    args = parser.parse_args(own)
    if rest and args.run not in (_lab, _test):
        parser.error("only lab and test pass arguments on after --")
    args.rest = rest
    try:
        code = args.run(args)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (ValueError, ModuleNotFoundError, OSError) as error:
        print(f"bpbook {args.command}: {_explain(error)}", file=sys.stderr)
        return 2


def _split(argv: list[str]) -> tuple[list[str], list[str]]:
    """What is ours, and what stands after ``--`` and is passed on."""
    at = argv.index("--") if "--" in argv else len(argv)
    return argv[:at], argv[at + 1 :]


def _explain(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError) and not (error.name or "").startswith("bpbook"):
        return f'{error.name} is not installed; pip install "bpbook[test]" brings everything'
    return str(error)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="bpbook", description="Backpropagation, the book you can run, and that proves itself."
    )
    parser.add_argument("--version", action="version", version=f"bpbook {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    lab = _command(commands, "lab", _lab, "open the chapters in JupyterLab", "bpbook lab 03")
    lab.add_argument("chapter", nargs="?", default="0", help="which to open, such as 03 or 13b")
    lab.add_argument("--to", type=Path, metavar="DIR", help=_TO_HELP)
    lab.add_argument("--no-browser", action="store_true", help="only print the address")
    lab.add_argument("--no-launch", action="store_true", help="copy the chapters, do not open them")

    _command(commands, "test", _test, "run the tests, chapters included", "bpbook test -- -k ops")

    claims = _command(
        commands,
        "claims",
        _claims,
        "list the claims of the source article",
        "bpbook claims --check",
    )
    claims.add_argument("ids", nargs="*", metavar="ID", help="only these, such as E1.3.1-a")
    claims.add_argument("--check", action="store_true", help="run each claim's function")
    claims.add_argument("--json", action="store_true", help="print a list of objects")

    prove = _command(
        commands, "prove", _prove, "prove each op's vjp with SymPy", "bpbook prove softmax affine"
    )
    prove.add_argument("ops", nargs="*", metavar="OP", help="only these, such as affine")
    prove.add_argument("--json", action="store_true", help="print a list of objects")

    refresh = _command(
        commands, "refresh", _refresh, "re-execute and normalise notebooks", "bpbook refresh 03"
    )
    refresh.add_argument("chapters", nargs="*", metavar="CHAPTER", help="3, 03, a name or a path")
    return parser


_TO_HELP = (
    "copy the chapters there, keeping what you changed, and open the copy "
    f"(default: {chapters.COPIES}; in a source checkout the chapters themselves)"
)


def _command(
    commands: argparse._SubParsersAction,
    name: str,
    run: Callable[[argparse.Namespace], int],
    what: str,
    example: str,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(
        name, help=what, description=f"{what[0].upper()}{what[1:]}.", epilog=f"Example: {example}"
    )
    parser.set_defaults(run=run)
    return parser


def _lab(args: argparse.Namespace) -> int:
    """Open Lab in the reader's copy of the chapters, or in the checkout's own."""
    where = args.to or (chapters.folder() if chapters.checkout() else chapters.COPIES)
    if where.resolve() != chapters.folder().resolve():
        if not where.exists():
            chapters.find(args.chapter, chapters.folder())  # refused before a folder is made
        for name, what in chapters.copy(chapters.folder(), where).items():
            if what != "same":
                print(f"{what:>10}  {where / name}")
    page = chapters.find(args.chapter, where)
    if args.no_launch:
        print(f"to open: jupyter lab {page}")
        return 0
    browser = ["--no-browser"] if args.no_browser else []
    return _python("jupyterlab", str(page), *browser, *args.rest)


def _test(args: argparse.Namespace) -> int:
    """Run pytest: in a checkout its own configuration, otherwise on the installed chapters."""
    if root := chapters.checkout():
        return _python("pytest", *args.rest, cwd=root)
    where = str(chapters.folder())
    options = ["--nbval", "--nbval-current-env", "-p", "no:cacheprovider", "--rootdir", where]
    workers = ["--numprocesses=logical", "--maxprocesses=4", "--dist=loadfile"]
    _, skipped = _runnable(chapters.notebooks(Path(where)))
    ignored = [f"--ignore={path}" for path in skipped]
    return _python("pytest", *options, *workers, *ignored, where, *args.rest)


def _runnable(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """The notebooks that can run here, and those that cannot, which are named with the reason."""
    able, skipped = [], []
    for path in paths:
        reason = chapters.lacks(path)
        (skipped if reason else able).append(path)
        if reason:
            print(f"skipped: {reason}", flush=True)
    return able, skipped


def _python(module: str, *arguments: str, cwd: Path | None = None) -> int:
    """Run ``python -m module`` with this interpreter; its exit code."""
    from importlib.util import find_spec

    if find_spec(module) is None:
        extra = "book" if module == "jupyterlab" else "test"
        raise ValueError(f'{module} is not installed; pip install "bpbook[{extra}]" brings it')
    with subprocess.Popen([sys.executable, "-m", module, *arguments], cwd=cwd) as program:
        while True:
            try:
                return program.wait()
            except KeyboardInterrupt:  # it got the same Ctrl-C; Lab asks whether to stop
                continue


def _prove(args: argparse.Namespace) -> int:
    """Print a row as each proof is done; 1 when one fails, or when there was nothing to prove."""
    from bpbook.proof import catalog

    head = ("op", "shapes", "entries proved", "seconds", "verdict")
    proofs = []
    for proof in catalog.prove_all(args.ops or None):
        if not args.json:
            _row((head,) if not proofs else (), "<30 <26 >14 >8 <10", _proof_row(proof))
        proofs.append(proof)
    failed = sum(not proof.ok for proof in proofs)
    if args.json:
        _print_json({**_fields(p, "op shapes entries ok seconds")} for p in proofs)
    else:
        total = sum(p.seconds for p in proofs)
        print(f"{len(proofs) - failed} of {len(proofs)} proved in {total:.1f} s")
    return int(failed > 0 or not proofs)


def _proof_row(proof) -> tuple[object, ...]:
    shapes = " ".join("x".join(map(str, shape)) or "()" for shape in proof.shapes)
    verdict = "proved" if proof.ok else "NOT PROVED"
    return proof.op, shapes, proof.entries, f"{proof.seconds:.2f}", verdict


def _claims(args: argparse.Namespace) -> int:
    """List the claims that have a function; with --check run them, and 1 when one fails."""
    from bpbook.claims import registered, table

    claims = registered()
    if unknown := set(args.ids) - {claim.id for claim in claims}:
        raise ValueError(f"no function for the claim {', '.join(sorted(unknown))}")
    chosen = [claim for claim in claims if not args.ids or claim.id in args.ids]
    rows = []
    for claim in chosen:
        result = claim.run() if args.check else None
        rows.append(_claim_object(claim, result))
        if not args.json:
            _print_claim(rows[-1], result, first=len(rows) == 1)
    passed = sum(row["ok"] is True for row in rows)
    if args.json:
        _print_json(rows)
    elif args.check:
        total = sum(row["seconds"] for row in rows)
        print(f"{passed} of {len(rows)} checks passed in {total:.1f} s")
    else:
        print(f"{len(claims)} of the {len(table())} claims have a function")
    return int(args.check and (passed < len(rows) or not rows))


def _claim_object(claim, result) -> dict[str, object]:
    checked = {"ok": result and result.ok, "seconds": result and result.seconds}
    return _fields(claim, "id verdict chapter function") | checked


def _print_claim(row: dict[str, object], result, *, first: bool) -> None:
    head, cells, widths = ["id", "verdict", "chapter"], list(row.values())[:3], "<14 <10 >7"
    if result:
        head, widths = [*head, "ok", "seconds"], f"{widths} >6 >8"
        cells += ["yes" if result.ok else "NO", f"{result.seconds:.2f}"]
    _row([head] if first else [], widths, cells)
    if result and not result.ok:
        print(f"    {row['function']}: {result.evidence}")


def _fields(thing: object, names: str) -> dict[str, object]:
    return {name: getattr(thing, name) for name in names.split()}


def _row(heads: Iterable[Sequence[str]], widths: str, cells: Sequence[object]) -> None:
    """Print a table row in columns of the given format widths, its heading first where given."""
    for row in (*heads, cells):
        columns = (f"{cell!s:{w}}" for cell, w in zip(row, widths.split(), strict=True))
        print("  ".join(columns).rstrip(), flush=True)


def _print_json(rows: Iterable[dict[str, object]]) -> None:
    print(json.dumps(list(rows), indent=1, default=str))


def _refresh(args: argparse.Namespace) -> int:
    """Refresh the chapters one after the other; 1 when one of them raised."""
    where = chapters.folder() if chapters.checkout() else chapters.COPIES
    named = [chapters.find(chapter, where) for chapter in args.chapters]
    paths = named or _runnable(chapters.notebooks(where))[0]
    if not paths:
        raise ValueError(f"no chapter in {where}; run bpbook lab first, or name a notebook's path")
    from bpbook import notebooks

    failed = 0
    for path in paths:
        try:
            done = notebooks.refresh(path)
            print(f"{path.name}: {done.cells} cells, {'changed' if done.changed else 'unchanged'}")
        except notebooks.ChapterError as error:
            failed += 1
            print(error, file=sys.stderr)
    return int(failed > 0)
