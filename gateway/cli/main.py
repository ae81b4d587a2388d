"""The command line: which command, with which settings. Exit codes are 0, 1, 2 (usage), 73 and 78 (see errors.py)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from gateway.cli import audit, backup, explain, init, ledger, password, prices, retention, try_, version
from gateway.cli.serve import serve
from gateway.errors import ConfigurationFault, StartError
from gateway.settings import OPTIONS, Settings, read_settings

_OF_DIRECTORY = ("data_dir", "master_key_file")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code. Without a command it is `serve`."""
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or (words[0].startswith("-") and words[0] not in ("-h", "--help", "--version")):
        words.insert(0, "serve")
    arguments = _parser().parse_args(words)
    try:
        return _run(arguments)
    except ConfigurationFault as fault:
        print("The gateway cannot start:", *(f"  {line}" for line in fault.faults), sep="\n", file=sys.stderr)
        return fault.exit_code
    except StartError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130


def _run(arguments: argparse.Namespace) -> int:
    if arguments.command == "version":
        return version.run(arguments)
    flags = {option.name: getattr(arguments, option.name, None) for option in OPTIONS}
    settings = read_settings(flags)
    commands = {
        "serve": _serve,
        "init": init.run,
        "try": try_.run,
        "explain": explain.run,
        "password": password.run,
        "ledger": ledger.run,
        "backup": backup.back_up_to,
        "restore": backup.restore_from,
        "audit": audit.run,
        "prices": prices.run,
        "retention": retention.run,
    }
    return commands[arguments.command](arguments, settings)


def _serve(_: argparse.Namespace, settings: Settings) -> int:
    return serve(settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="gateway", description="Weir, a lightweight LLM gateway.")
    parser.add_argument("--version", action="store_const", const="version", dest="command", help="what runs here")
    parser.set_defaults(json=False)
    commands = parser.add_subparsers(dest="command", metavar="command")
    every = tuple(option.name for option in OPTIONS)
    _command(commands, "serve", "serve in the foreground (the default)", every)
    made = _command(commands, "init", "set up a data directory without questions", every)
    made.add_argument("--json", action="store_true", help="print one JSON object")
    question = _command(commands, "try", "ask the running gateway one question", _OF_DIRECTORY)
    question.add_argument("message", help='such as "Say hi"')
    question.add_argument("--model", default="demo/echo", help="default: %(default)s")
    question.add_argument("--stream", action="store_true", help="print words as they come")
    plan = _command(commands, "explain", "where a call would go now, and why not elsewhere", _OF_DIRECTORY)
    plan.add_argument("model", help="as a client would name it")
    plan.add_argument("--json", action="store_true", help="print one JSON object")
    reset = _command(commands, "password", "`password reset`: a new admin password", _OF_DIRECTORY)
    reset.add_argument("action", choices=["reset"])
    reset.add_argument("--username", default="admin", help="default: %(default)s")
    proof = _command(
        commands, "ledger", "`ledger verify`: whether every cost and sum follows from the calls", _OF_DIRECTORY
    )
    proof.add_argument("action", choices=["verify"])
    proof.add_argument("--json", action="store_true", help="print one JSON object")
    proof = _command(commands, "audit", "`audit verify`: whether the audit log is as it was written", _OF_DIRECTORY)
    proof.add_argument("action", choices=["verify"])
    proof.add_argument("--head", metavar="SEQ:HASH", help="an end of it that the gateway's log told earlier")
    proof.add_argument("--json", action="store_true", help="print one JSON object")
    costs = _command(
        commands, "prices", "what each model costs where; `prices sync` takes newer list prices", _OF_DIRECTORY
    )
    costs.add_argument("action", choices=["list", "sync"], nargs="?", default="list")
    costs.add_argument("--token-file", metavar="FILE", help="a management token, for a gateway that runs; - is stdin")
    costs.add_argument("--json", action="store_true", help="print one JSON object")
    kept = _command(commands, "retention", "delete requests that are too old or take too much room", _OF_DIRECTORY)
    kept.add_argument("--dry-run", action="store_true", help="only tell how many, also while it is served")
    kept.add_argument("--json", action="store_true", help="print one JSON object")
    copy = _command(commands, "backup", "write a copy of the database, also while it is served", _OF_DIRECTORY)
    copy.add_argument("file", help="where to; it may not be there yet")
    back = _command(commands, "restore", "make the database what a backup is; stop the gateway first", _OF_DIRECTORY)
    back.add_argument("file", help="the backup")
    shown = _command(commands, "version", "what runs here", ())
    shown.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, sentence: str, options: Sequence[str]
) -> argparse.ArgumentParser:
    """A command that takes these settings as flags."""
    parser = commands.add_parser(
        name,
        help=sentence,
        description=f"{sentence[0].upper()}{sentence[1:]}.",
        epilog="Each flag may also come as GATEWAY_NAME, or as a file named by GATEWAY_NAME_FILE." if options else None,
    )
    for option in OPTIONS:
        if option.name not in options:
            continue
        default = f" Default: {option.default}." if option.default else ""
        help_text = f"{option.sentence}{default} [{option.variable}]".replace("%", "%%")
        if option.name == "detect":
            parser.add_argument(option.flag, dest="detect", action="store_const", const="false", help=help_text)
        else:
            parser.add_argument(option.flag, dest=option.name, metavar=option.name.upper(), help=help_text)
    return parser
