"""`smd render --jobs`: a job a line, an answer a line, by one model that stays."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, TINY, Result, Smd
from PIL import Image

from smd_cli.report.events import Answer, Event, Summary
from smd_cli.report.page import meanings
from smd_cli.work.job_lines import Line, lines_of, read_job
from smd_cli.work.request import Machine, Request
from smd_cli.work.serve import JobServer, serve
from vary.conftest import Breaks, Loads

pytestmark = pytest.mark.usefixtures("folder")

INLINE = {
    "model": str(TINY),
    "size": "64x64",
    "background": "sea",
    "brushes": [{"prompt": "a boat", "mask": "fox.png"}],
    "sampler": {"steps": 1},
}


def answered(smd: Smd, jobs: list[Any], *options: str) -> tuple[Result, list[dict[str, Any]]]:
    """What a run says to some jobs: objects, or lines as they are."""
    lines = [job if isinstance(job, str) else json.dumps(job) for job in jobs]
    Path("jobs.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = smd(["render", "--jobs", "jobs.jsonl", *options])
    return result, [json.loads(line) for line in result.out.splitlines()]


def messages(answer: Mapping[str, Any]) -> list[str]:
    return [f"{e['file']}:{e['line']}:{e['column']} {e['message']}" for e in answer["errors"]]


def test_jobs_are_answered_in_their_order_by_one_model(smd: Smd, loads: Loads) -> None:
    jobs = [
        {"scene": "s.yaml", "out": "a.png", "seed": 3, "id": "first"},
        {"scene": "t.yaml", "out": ["b.png", "b.jpg"], "set": {"brushes.fox.prompt": "a wolf"}},
        {"scene": INLINE, "id": 7},
        {"scene": "s.yaml", "frames": 3, "frame": 2, "out": "d-%d.png"},
        {"scene": "s.yaml", "seed": "random", "out": "{seed}.png"},
    ]
    result, answers = answered(smd, jobs, "-q")
    assert (result.code, result.err, len(loads)) == (0, "", 1)
    assert [one["line"] for one in answers] == [1, 2, 3, 4, 5]
    assert [one["id"] for one in answers] == ["first", None, 7, None, None]
    assert [one["scene"] for one in answers] == ["s", "t", "job-3", "s", "s"]
    assert [one["files"] for one in answers[:4]] == [
        ["a.png"],
        ["b.png", "b.jpg"],
        ["job-3.png"],
        ["d-2.png"],
    ]
    assert answers[4]["files"] == [f"{answers[4]['seed']}.png"]
    assert all(one["ok"] and one["type"] == "job" and one["seconds"] > 0 for one in answers)
    assert {*answers[0]} == {"type", "v", "event", *meanings(Answer)}


@pytest.mark.usefixtures("loads")
def test_a_job_paints_what_the_options_paint(smd: Smd) -> None:
    changes = {"brushes.fox.prompt": "two\nlines", "sampler.bootstrap": {"steps": 0}}
    job = {"scene": "s.yaml", "set": changes, "seed": 5, "size": [96, 96], "out": "job.png"}
    assert answered(smd, [job])[0].code == 0
    options = ["--set", 'brushes.fox.prompt="two\\nlines"']
    options += ["--set", 'sampler.bootstrap={"steps": 0}']
    options += ["--seed", "5", "--size", "[96, 96]", "-o", "own.png"]
    assert smd(["render", "s.yaml", *options]).code == 0
    assert Path("job.png").read_bytes() == Path("own.png").read_bytes()


@pytest.mark.usefixtures("loads")
def test_options_say_what_a_job_does_not(smd: Smd) -> None:
    jobs = [{"scene": "s.yaml"}, {"scene": "s.yaml", "seed": 2, "out": "own.png"}]
    options = ["--seed", "9", "--size", "96x96", "-o", "{scene}-{seed}.png"]
    _, answers = answered(smd, jobs, *options)
    assert [(one["seed"], one["files"]) for one in answers] == [(9, ["s-9.png"]), (2, ["own.png"])]
    with Image.open("own.png") as picture:
        assert picture.size == (96, 96)


BAD: list[tuple[Any, list[str]]] = [
    ("nonsense", ["jobs.jsonl:2:1 this is no JSON: expecting value"]),
    ('{"scene": "s.yaml"', ["jobs.jsonl:2:19 this is no JSON: expecting ',' delimiter"]),
    ("[1, 2]", ["jobs.jsonl:2:1 a job is a JSON object"]),
    ("{}", ["jobs.jsonl:2:1 the job needs a scene"]),
    ({"scene": "s.yaml", "sed": 3}, ["jobs.jsonl:2:21 unknown key 'sed'"]),
    ('{"scene": "s.yaml", "seed": 1, "seed": 2}', ["jobs.jsonl:2:32 the key 'seed' is written"]),
    ({"scene": 3, "out": 4}, ["jobs.jsonl:2:11 scene must be a", "jobs.jsonl:2:21 out must be a"]),
    ({"scene": "-"}, ["jobs.jsonl:2:11 scene must be a scene: the name of its file, an object"]),
    ({"scene": "gone.yaml"}, ["gone.yaml:0:0 there is no such file"]),
    ({"scene": "s.yaml", "seed": "x"}, ["jobs.jsonl:2:29 seed must be a whole number"]),
    ({"scene": "s.yaml", "set": {"brushes.fox.alpha": "1"}}, ["jobs.jsonl:2:50 alpha must be"]),
    ({"scene": "s.yaml", "set": {"brushes.fox.prompt": None}}, ["jobs.jsonl:2:51 brushes.fox.p"]),
    ({"scene": "s.yaml", "only": ["fox", "owl"]}, ["jobs.jsonl:2:37 there is no brush 'owl'"]),
    ({"scene": "s.yaml", "without": "owl"}, ["jobs.jsonl:2:32 there is no brush 'owl'"]),
    ({"scene": "s.yaml", "set": "a=1"}, ["jobs.jsonl:2:28 set must be an object of keys"]),
    ({"scene": "s.yaml", "frame": -1}, ["jobs.jsonl:2:30 frame must be a whole number from 0"]),
    ({"scene": "s.yaml", "frames": "5:1"}, ["None:None:None --frames takes a number"]),
    ({"scene": "s.yaml", "out": "-"}, ["None:None:None standard output carries the answers"]),
    ({"scene": "s.yaml", "out": "a.xyz"}, ["None:None:None a.xyz: .xyz is not a format"]),
    ({"scene": "s.yaml", "id": []}, ["jobs.jsonl:2:27 id must be a text or a number"]),
    (
        '{"out": "ä.png", "scene": {"size": "64x64", "backgrund": "sea"}}',
        ["jobs.jsonl:2:45 unknown key 'backgrund'"],
    ),
    (
        {"scene": "size: 64x64\nbackground: 3\n"},
        ["jobs.jsonl line 2:2:13 background must be"],
    ),
    ("[" * 100_000, ["jobs.jsonl:2:1 this is nested too deep"]),
]


@pytest.mark.parametrize(("job", "told"), BAD, ids=[str(n) for n in range(len(BAD))])
def test_a_bad_line_is_answered_and_the_next_one_done(
    smd: Smd, loads: Loads, job: Any, told: list[str]
) -> None:
    result, answers = answered(smd, ["", job, {"scene": "s.yaml"}])
    assert (result.code, len(answers), len(loads)) == (1, 2, 1)
    bad, good = answers
    assert (bad["line"], bad["ok"], bad["files"]) == (2, False, [])
    found = messages(bad)
    assert len(found) == len(told)
    assert all(one.startswith(start) for one, start in zip(found, told, strict=True)), found
    assert (good["line"], good["files"]) == (3, ["s.png"])
    assert all(error["message"].splitlines()[0] in result.err for error in bad["errors"])
    assert result.err.endswith("note: 1 job failed\n")


@pytest.mark.usefixtures("loads")
def test_what_breaks_on_the_way_is_an_answer(smd: Smd, breaks: Breaks) -> None:
    breaks("grass", "a fox", 4)
    jobs = [{"scene": "s.yaml", "seed": seed, "out": f"{seed}.png"} for seed in (3, 4, 5)]
    result, answers = answered(smd, jobs)
    assert (result.code, [one["ok"] for one in answers]) == (1, [True, False, True])
    assert messages(answers[1]) == ["None:None:None s: out of memory at 64x64"]


@pytest.mark.usefixtures("loads")
def test_a_bug_is_an_answer_too(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr("smd_cli.work.serve.announce", fails)
    result, [answer] = answered(smd, [{"scene": "s.yaml"}])
    assert result.code == 1
    assert answer["errors"][0]["message"] == "ZeroDivisionError: by nothing"


@pytest.mark.usefixtures("loads")
def test_warnings_stand_in_the_line(smd: Smd) -> None:
    scene = {**INLINE, "brushes": [{"prompt": "a boat", "mask": "fox.png", "negative": "fog"}]}
    line = json.dumps({"scene": scene})
    _, [answer] = answered(smd, [line])
    [told] = answer["warnings"]
    assert line[told["column"] - 1 :].startswith('"fog"')
    assert (told["file"], told["line"]) == ("jobs.jsonl", 1)


@pytest.mark.usefixtures("loads")
def test_a_scene_in_a_line_is_no_file_that_has_changed_since(smd: Smd) -> None:
    _, [answer] = answered(smd, [{"scene": INLINE, "out": "a.png"}])
    assert answer["ok"]
    told = json.loads(smd(["info", "a.png", "--json"]).out)
    assert (told["type"], told["differs"], told["texts"]["smd:from"]) == ("info", [], "job-1")


@pytest.mark.usefixtures("loads")
def test_jobs_from_stdin(smd: Smd, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO(b'\xef\xbb\xbf{"scene": "s.yaml"}\r\n\n{"id": "\xff"}'))
    monkeypatch.setattr(sys, "stdin", stream)
    result = smd(["render", "--jobs", "-", "-q"])
    good, bad = map(json.loads, result.out.splitlines())
    assert (good["ok"], good["files"]) == (True, ["s.png"])
    assert messages(bad) == ["<stdin>:3:9 this is not UTF-8 text: byte 0xFF"]


@pytest.mark.usefixtures("loads")
def test_every_answer_is_there_before_the_next_job_is_asked_for(
    capfd: pytest.CaptureFixture[str],
) -> None:
    seen = []

    def lines() -> Iterator[Line]:
        for number in (1, 2, 3):
            seen.append(capfd.readouterr().out.count("\n"))
            yield Line("jobs", number, b'{"scene": "s.yaml"}')

    server = JobServer(Request(()), Machine(), quiet=True, verbose=False)
    assert serve(server, lines()) == 0
    assert seen == [0, 1, 1]


@pytest.mark.slow
def test_jobs_cost_little_more_than_their_pictures() -> None:
    """With the starter on its own canvas, once it is loaded: a tenth more at most."""
    server = JobServer(Request(()), Machine(), quiet=True, verbose=False)
    painting: list[float] = []
    hear = server.hear

    def measured(event: Event) -> None:
        if isinstance(event, Summary):
            painting.append(event.seconds)
        hear(event)

    server.hear = measured  # type: ignore[method-assign]
    job = {"scene": str(ROOT / "scenes" / "garden.yaml"), "frames": 1, "out": "a.png"}
    lines = (Line("jobs", n, json.dumps({**job, "seed": n}).encode()) for n in range(1, 6))
    spent = [server.answer(line).seconds for line in lines]
    assert len(painting) == 5
    assert sum(spent[1:]) <= 1.1 * sum(painting[1:])


def test_a_line_without_end_is_refused_and_passed_over() -> None:
    endless = b"[" * (9 << 20) + b"\n" + b'{"scene": "s.yaml"}'
    long, short = lines_of("jobs", io.BytesIO(endless))
    assert (long.number, short.number, short.content) == (1, 2, b'{"scene": "s.yaml"}')
    with pytest.raises(Exception, match="must not be larger than 4 MiB"):
        read_job(long, Request(()))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["s.yaml"], "error: --jobs does not go with a scene\n"),
        (["--seeds", "1-2"], "error: --jobs does not go with --each and --seeds\n"),
        (["--sheet", "a.png"], "error: --jobs does not go with --sheet\n"),
        (["--resume"], "error: --jobs does not go with --resume\n"),
        ([], "error: gone.jsonl cannot be read: "),
    ],
)
def test_what_does_not_go_with_jobs(smd: Smd, options: list[str], told: str) -> None:
    result = smd(["render", "--jobs", "gone.jsonl", *options])
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(told)
