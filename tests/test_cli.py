"""The ``bpbook`` command: what it prints, what it returns, what it never loads."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from types import SimpleNamespace

import pytest

import bpbook
from bpbook import chapters, cli

COMMANDS = ["lab", "test", "claims", "prove", "refresh"]


def run(capsys, *argv) -> tuple[int, str, str]:
    code = cli.main(argv)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def stop(capsys, *argv) -> tuple[int, str]:
    """Run a command line that argparse itself ends; its exit code and what it printed."""
    with pytest.raises(SystemExit) as stopped:
        cli.main(argv)
    captured = capsys.readouterr()
    return stopped.value.code, captured.out + captured.err


# --- help, version, usage ----------------------------------------------------------------------


def test_help_names_every_command(capsys):
    code, text = stop(capsys, "--help")
    assert code == 0
    assert all(re.search(rf"^\s+{command} ", text, re.MULTILINE) for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_shows_an_example(capsys, command):
    code, text = stop(capsys, command, "--help")
    assert code == 0
    assert f"Example: bpbook {command}" in text


def test_version_is_the_package_version(capsys):
    assert stop(capsys, "--version") == (0, f"bpbook {bpbook.__version__}\n")


@pytest.mark.parametrize("argv", [[], ["learn"], ["prove", "--fast"], ["prove", "--", "x"]])
def test_wrong_usage_returns_2_and_shows_the_usage(capsys, argv):
    code, text = stop(capsys, *argv)
    assert code == 2
    assert text.startswith("usage: bpbook")


def test_python_dash_m_bpbook_is_the_command_and_help_loads_nothing_heavy():
    code = (
        "import runpy, sys; sys.argv = ['bpbook', '--help']\n"
        "try: runpy.run_module('bpbook', run_name='__main__')\n"
        "except SystemExit as end: assert not end.code\n"
        "print('loaded', sorted({'numpy', 'sympy', 'matplotlib', 'nbclient'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert "usage: bpbook" in done.stdout
    assert done.stdout.endswith("loaded []\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGPIPE and no code 141")
def test_output_that_nobody_reads_to_its_end_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as gone:
        command = [sys.executable, "-m", "bpbook", "claims", "--json"]
        done = subprocess.run(command, stdout=gone, stderr=subprocess.PIPE, encoding="utf-8")
    assert (done.returncode, done.stderr) == (141, "")


def test_a_missing_package_is_named_with_the_install_command(capsys, monkeypatch):
    def missing(args):
        raise ModuleNotFoundError("No module named 'nbclient'", name="nbclient")

    monkeypatch.setattr(cli, "_claims", missing)
    code, _, err = run(capsys, "claims")
    assert code == 2
    assert 'nbclient is not installed; pip install "bpbook[test]"' in err


# --- prove -------------------------------------------------------------------------------------


def proof(op, ok=True, shapes=((2, 3), ())):
    return SimpleNamespace(op=op, shapes=shapes, entries=6, ok=ok, seconds=0.25)


@pytest.fixture
def proofs(monkeypatch):
    """Sets what the catalogue proves, and records which names were asked for."""
    from bpbook.proof import catalog

    asked = []

    def set_to(*made):
        monkeypatch.setattr(catalog, "prove_all", lambda names: asked.append(names) or iter(made))
        return asked

    return set_to


def test_prove_prints_a_row_for_each_proof(capsys, proofs):
    asked = proofs(proof("affine"), proof("tanh"))
    code, out, _ = run(capsys, "prove")
    lines = [line.split() for line in out.splitlines()]
    assert code == 0
    assert lines[0] == ["op", "shapes", "entries", "proved", "seconds", "verdict"]
    assert lines[1] == ["affine", "2x3", "()", "6", "0.25", "proved"]
    assert lines[2][0] == "tanh"
    assert out.endswith("2 of 2 proved in 0.5 s\n")
    assert asked == [None]


def test_prove_returns_1_when_one_proof_fails(capsys, proofs):
    proofs(proof("affine"), proof("tanh", ok=False))
    code, out, _ = run(capsys, "prove")
    assert code == 1
    assert "NOT PROVED" in out
    assert "1 of 2 proved" in out


def test_prove_returns_1_when_nothing_was_proved(capsys, proofs):
    proofs()
    assert run(capsys, "prove")[0] == 1


def test_prove_json_is_a_list_of_objects(capsys, proofs):
    asked = proofs(proof("affine", ok=False))
    code, out, _ = run(capsys, "prove", "--json", "affine")
    assert code == 1
    assert json.loads(out) == [
        {"op": "affine", "shapes": [[2, 3], []], "entries": 6, "ok": False, "seconds": 0.25}
    ]
    assert asked == [["affine"]]


def test_prove_proves_a_real_op(capsys):
    code, out, _ = run(capsys, "prove", "--json", "affine")
    assert code == 0
    assert {row["op"] for row in json.loads(out)} == {"affine"}
    assert all(row["ok"] and row["entries"] > 0 for row in json.loads(out))


def test_prove_refuses_an_unknown_op_and_lists_those_there_are(capsys):
    code, _, err = run(capsys, "prove", "affin")
    assert code == 2
    assert "affin" in err
    assert "softmax" in err


# --- claims ------------------------------------------------------------------------------------


def a_claim(id, ok=True):
    result = SimpleNamespace(ok=ok, seconds=0.5, evidence="the worst error is 3")
    return SimpleNamespace(
        id=id, verdict="proved", chapter=1, function="chain_rule", run=lambda: result
    )


@pytest.fixture
def claims(monkeypatch):
    import bpbook.claims

    def set_to(*made):
        monkeypatch.setattr(bpbook.claims, "registered", lambda: list(made))

    return set_to


def test_claims_lists_without_running_and_counts(capsys, claims):
    claims(a_claim("E1-a", ok=False), a_claim("E1-b"))
    code, out, _ = run(capsys, "claims")
    lines = [line.split() for line in out.splitlines()]
    assert code == 0
    assert lines[:2] == [["id", "verdict", "chapter"], ["E1-a", "proved", "1"]]
    assert out.endswith("2 of the 200 claims have a function\n")


def test_claims_check_returns_1_and_shows_the_evidence_of_a_failure(capsys, claims):
    claims(a_claim("E1-a", ok=False), a_claim("E1-b"))
    code, out, _ = run(capsys, "claims", "--check")
    lines = [line.split() for line in out.splitlines()]
    assert code == 1
    assert lines[1] == ["E1-a", "proved", "1", "NO", "0.50"]
    assert "chain_rule: the worst error is 3" in out
    assert lines[3] == ["E1-b", "proved", "1", "yes", "0.50"]


def test_claims_check_ends_with_how_many_passed_in_what_time(capsys, claims):
    claims(a_claim("E1-a", ok=False), a_claim("E1-b"), a_claim("E1-c"))
    assert run(capsys, "claims", "--check")[1].endswith("2 of 3 checks passed in 1.5 s\n")


def test_claims_check_returns_0_when_all_hold_and_1_when_there_are_none(capsys, claims):
    claims(a_claim("E1-a"))
    assert run(capsys, "claims", "--check")[0] == 0
    claims()
    assert run(capsys, "claims", "--check")[0] == 1


def test_claims_json_has_null_for_what_was_not_run(capsys, claims):
    claims(a_claim("E1-a"))
    _, out, _ = run(capsys, "claims", "--json")
    assert json.loads(out) == [
        {
            "id": "E1-a",
            "verdict": "proved",
            "chapter": 1,
            "function": "chain_rule",
            "ok": None,
            "seconds": None,
        }
    ]


def test_claims_json_check_tells_a_failure_from_a_claim_that_was_not_run(capsys, claims):
    claims(a_claim("E1-a", ok=False))
    code, out, _ = run(capsys, "claims", "--json", "--check")
    assert code == 1
    assert [(row["ok"], row["seconds"]) for row in json.loads(out)] == [(False, 0.5)]


def test_claims_runs_only_the_named_ids_and_refuses_unknown_ones(capsys, claims):
    claims(a_claim("E1-a", ok=False), a_claim("E1-b"))
    assert run(capsys, "claims", "--check", "E1-b")[0] == 0
    code, _, err = run(capsys, "claims", "E9-z")
    assert code == 2
    assert "E9-z" in err


# --- lab, test, refresh ------------------------------------------------------------------------


@pytest.fixture
def calls(monkeypatch):
    """Records the programs that would be started, which all end with exit code 5."""
    started = []

    class Program(contextlib.nullcontext):
        def __init__(self, command, cwd=None):
            started.append((command[2], list(map(str, command[3:])), cwd))
            super().__init__(SimpleNamespace(wait=lambda: 5))

    monkeypatch.setattr(cli.subprocess, "Popen", Program)
    return started


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """Makes the package look installed from a wheel with one chapter; the reader's folder."""
    (tmp_path / "bpbook" / "_chapters").mkdir(parents=True)
    (tmp_path / "bpbook" / "_chapters" / "00_welcome.ipynb").write_text("welcome")
    monkeypatch.setattr(chapters, "PACKAGE", tmp_path / "bpbook")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "bpbook-chapters"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    (tmp_path / "chapters").mkdir()
    (tmp_path / "pyproject.toml").write_text("")
    for name in ("00_welcome.ipynb", "03_back.ipynb"):
        (tmp_path / "chapters" / name).write_text("{}")
    monkeypatch.setattr(chapters, "PACKAGE", tmp_path / "bpbook")
    return tmp_path


def test_lab_in_a_checkout_opens_the_chapter_in_place(calls, checkout):
    assert cli.main(["lab", "3", "--no-browser", "--", "--port=9999"]) == 5
    page = str(checkout / "chapters" / "03_back.ipynb")
    assert calls == [("jupyterlab", [page, "--no-browser", "--port=9999"], None)]
    assert sorted(p.name for p in checkout.iterdir()) == ["chapters", "pyproject.toml"]


def test_lab_in_a_checkout_copies_where_it_is_told_and_says_how_to_open_the_copy(
    calls, checkout, capsys
):
    mine = checkout / "mine"
    code, out, _ = run(capsys, "lab", "3", "--to", str(mine), "--no-launch")
    assert code == 0
    assert {p.name for p in mine.glob("*.ipynb")} == {"00_welcome.ipynb", "03_back.ipynb"}
    assert out.endswith(f"to open: jupyter lab {mine / '03_back.ipynb'}\n")
    run(capsys, "lab", "--to", str(checkout / "chapters"), "--no-launch")
    assert not (checkout / "chapters" / chapters.MANIFEST).exists()
    assert calls == []


def test_lab_from_a_wheel_opens_a_copy_and_says_what_it_copied(calls, wheel, capsys):
    assert cli.main(["lab"]) == 5
    assert calls[0][:2] == ("jupyterlab", [str(chapters.COPIES / "00_welcome.ipynb")])
    assert (wheel / "00_welcome.ipynb").read_text() == "welcome"
    assert re.search(r"copied  bpbook-chapters.00_welcome\.ipynb", capsys.readouterr().out)


def test_lab_from_a_wheel_keeps_the_readers_work_and_copies_where_it_is_told(calls, wheel, capsys):
    mine = wheel.parent / "mine"
    assert cli.main(["lab", "--to", str(mine), "--no-launch"]) == 0
    (mine / "00_welcome.ipynb").write_text("my notes")
    assert cli.main(["lab", "--to", str(mine), "--no-launch"]) == 0
    assert (mine / "00_welcome.ipynb").read_text() == "my notes"
    assert "kept" in capsys.readouterr().out
    assert calls == []
    assert not wheel.exists()


def test_lab_opens_a_notebook_that_the_reader_added_to_the_copies(calls, wheel, capsys):
    run(capsys, "lab", "--no-launch")
    (wheel / "14_mine.ipynb").write_text("my notes")
    assert run(capsys, "lab", "14", "--no-launch")[0] == 0
    code, _, err = run(capsys, "lab", "15")
    assert (code, calls) == (2, [])
    assert "14_mine" in err


def test_lab_refuses_an_unknown_chapter_before_it_copies(calls, wheel, capsys):
    code, out, err = run(capsys, "lab", "7")
    assert (code, out, calls) == (2, "", [])
    assert "no notebook is called '7'" in err
    assert not wheel.exists()


def test_a_folder_that_cannot_be_made_is_named_without_a_traceback(calls, wheel, capsys):
    (wheel.parent / "taken").write_text("a file")
    code, _, err = run(capsys, "lab", "--to", "taken", "--no-launch")
    assert code == 2
    assert err.startswith("bpbook lab: ")
    assert "'taken'" in err


@pytest.mark.skipif(os.name == "nt", reason="Windows sends Ctrl-C to a console, not a process")
def test_ctrl_c_is_answered_by_the_program_that_was_started(tmp_path, monkeypatch):
    """JupyterLab asks whether to stop; a second of thought must not kill it."""
    (tmp_path / "asks.py").write_text(
        "import os, signal, time\n"
        "signal.signal(signal.SIGINT, lambda *_: None)\n"
        "time.sleep(0.2)\n"
        "os.kill(os.getppid(), signal.SIGINT)\n"
        "time.sleep(0.5)\n"
        "raise SystemExit(7)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert cli._python("asks") == 7
    finally:
        signal.signal(signal.SIGINT, before)


def test_lab_without_jupyterlab_says_how_to_install_it(checkout, monkeypatch, capsys):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    code, _, err = run(capsys, "lab")
    assert code == 2
    assert 'jupyterlab is not installed; pip install "bpbook[book]"' in err


def test_test_in_a_checkout_is_plain_pytest_there(calls, checkout):
    assert cli.main(["test", "--", "-k", "ops"]) == 5
    assert calls == [("pytest", ["-k", "ops"], checkout)]


def test_test_from_a_wheel_runs_its_chapters_strictly(calls, wheel):
    assert cli.main(["test"]) == 5
    module, options, _ = calls[0]
    assert module == "pytest"
    assert {"--nbval", "--nbval-current-env", "--dist=loadfile"} <= set(options)
    assert str(chapters.PACKAGE / "_chapters") in options


def test_a_notebook_whose_package_is_missing_is_left_out_with_the_reason(
    calls, wheel, checkout, monkeypatch, capsys
):
    from bpbook import notebooks

    (name,) = chapters.NEEDS
    monkeypatch.setattr(notebooks, "refresh", lambda path: notebooks.Refreshed(path, False, 1))
    for installed in (True, False):
        monkeypatch.setattr(chapters, "find_spec", lambda package, found=installed: found or None)
        page = checkout / "chapters" / name
        page.write_text("{}")
        refreshed = run(capsys, "refresh")[1]
        assert (f"{name}: 1 cells" in refreshed) is installed
        assert (f'{name} needs torch: pip install "bpbook[torch]"' in refreshed) is not installed
    (checkout / "pyproject.toml").unlink()
    (checkout / "bpbook" / "_chapters" / name).write_text("{}")
    assert cli.main(["test"]) == 5
    assert f"--ignore={checkout / 'bpbook' / '_chapters' / name}" in calls[-1][1]
    assert "needs torch" in capsys.readouterr().out


def test_refresh_runs_each_named_chapter_and_returns_1_when_one_raised(
    checkout, monkeypatch, capsys
):
    from bpbook import notebooks

    def refresh(path):
        if path.name.startswith("00"):
            raise notebooks.ChapterError("00_welcome.ipynb: code cell 2 raised KeyError")
        return notebooks.Refreshed(path, changed=True, cells=7)

    monkeypatch.setattr(notebooks, "refresh", refresh)
    code, out, err = run(capsys, "refresh")
    assert (code, out) == (1, "03_back.ipynb: 7 cells, changed\n")
    assert "code cell 2 raised KeyError" in err
    assert run(capsys, "refresh", "03")[0] == 0


def test_refresh_of_an_unknown_chapter_is_refused_before_any_is_run(checkout, capsys):
    code, out, err = run(capsys, "refresh", "3", "7")
    assert (code, out) == (2, "")
    assert "no notebook is called '7'" in err


def test_letters_that_the_console_lacks_are_replaced_not_raised():
    code = "from bpbook import cli; cli.main(['refresh', 'θ'])"
    done = subprocess.run(
        [sys.executable, "-X", "utf8=0", "-c", code],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert b"UnicodeEncodeError" not in done.stderr
    assert b"no notebook is called" in done.stderr
