"""What a corpus promises: every document, in order, from where it says; oddities by their rules, counted or refused."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import tracemalloc
from pathlib import Path

import pytest

from neuronscope import corpus
from neuronscope.corpus import LONGEST, Counts, Document, documents
from neuronscope.errors import FileError
from neuronscope.jobs import Cancelled, running


def texts(*sources: object, counts: Counts | None = None, **options: object) -> list[str]:
    return [one.text for one in documents([str(s) for s in sources], counts=counts or Counts(), **options)]


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", ["a.txt", "a.txt.gz", "A.TXT"])
def test_a_text_file_is_one_document(tmp_path, name):
    file = write(tmp_path / name, "One.\r\n\r\nTwo. ü\n")
    counts = Counts()
    assert list(documents([str(file)], counts=counts)) == [Document(str(file), 0, "One.\r\n\r\nTwo. ü\n", 0)]
    assert counts == Counts(documents=1)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_parting_lines_part_a_text_file_and_nothing_else_does(tmp_path, end):
    lines = ["a", "b", "<|endoftext|>", "c <|endoftext|>", " <|endoftext|>", "<|endoftext|>", "d", "<|endoftext|>"]
    file = write(tmp_path / "a.txt", end.join(lines) + end)
    assert texts(file) == [f"a{end}b", f"c <|endoftext|>{end} <|endoftext|>", "d"]


@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz"])
def test_a_field_of_each_line_is_a_document(tmp_path, name):
    rows = [{"id": 1, "story": "One\ntwo"}, {"story": None}, {"story": "ü \u2028 x"}]
    file = write(tmp_path / name, "\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n\n")
    counts = Counts()
    found = list(documents([str(file)], field="story", counts=counts))
    assert [(one.number, one.text) for one in found] == [(0, "One\ntwo"), (2, "ü \u2028 x")]
    assert counts == Counts(documents=4, empty=2)


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_column_of_each_row_is_a_document(tmp_path, name):
    file = write(tmp_path / name, 'n,text\n1,"Two lines,\nand ""quotes"""\nx,plain\n3,\n4,NA\n')
    counts = Counts()
    assert texts(file, counts=counts) == ['Two lines,\nand "quotes"', "plain", "NA"]
    assert counts == Counts(documents=4, empty=1)


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "dictionary"])
def test_a_column_of_a_parquet_file_is_read_whatever_its_type_of_text(tmp_path, kind):
    import pyarrow as pa
    from pyarrow import parquet

    wanted = ["a", None, "ü" * 10, *map(str, range(1000))]
    column = pa.array(wanted)
    column = column.dictionary_encode() if kind == "dictionary" else column.cast(getattr(pa, kind)())
    parquet.write_table(pa.table({"other": range(len(wanted)), "text": column}), tmp_path / "a.parquet")
    assert texts(tmp_path / "a.parquet") == [text for text in wanted if text]


def test_folders_are_read_at_any_depth_hidden_files_left_out_and_each_file_once(tmp_path):
    for name in ("b.txt", "a/z.jsonl", "a/b/c.csv", ".hidden/x.txt", "a/.y.txt", "notes.md"):
        write(tmp_path / name, '{"text": "x"}\n' if name.endswith("jsonl") else "text\nx\n")
    found = corpus.find([str(tmp_path), str(tmp_path / "b.txt")])
    assert [os.path.relpath(name, tmp_path) for name in found] == ["a/b/c.csv", "a/z.jsonl", "b.txt"]
    assert corpus.find([f"{tmp_path}/**/*.csv"]) == [f"{tmp_path}/a/b/c.csv"]
    assert corpus.find([f"{tmp_path}/?"]) == [f"{tmp_path}/a/b/c.csv", f"{tmp_path}/a/z.jsonl"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(tmp_path):
    assert texts(write(tmp_path / "a[1].txt", "here")) == ["here"]


def test_standard_input_is_a_text_file_and_stays_open(monkeypatch):
    given = io.TextIOWrapper(io.BufferedReader(io.BytesIO(b"one\n<|endoftext|>\ntwo")))
    monkeypatch.setattr(sys, "stdin", given)
    assert texts("-") == ["one", "two"]
    assert not given.buffer.closed


def test_bytes_that_are_no_utf8_are_marked_and_counted_one_by_one(tmp_path):
    raw = b"caf\xe9 \xe2\x82 ok \xf0\x9f\x99\x82 \xef\xbf\xbd"
    csv = write(tmp_path / "a.csv", b'text\n"' + raw + b'"\n')
    for file in (write(tmp_path / "a.txt", raw), csv, write(tmp_path / "a.jsonl", b'{"text": "' + raw + b'"}')):
        counts = Counts()
        assert texts(file, counts=counts) == ["caf\ufffd \ufffd\ufffd ok 🙂 \ufffd"]
        assert counts == Counts(documents=1, undecodable=3)


def test_a_character_over_two_blocks_is_whole(tmp_path):
    text = "x" * 8191 + "🙂" * 40_000
    counts = Counts()
    assert texts(write(tmp_path / "a.txt", text), counts=counts) == [text]
    assert counts.undecodable == 0


def test_half_a_surrogate_pair_in_json_is_marked_and_counted(tmp_path):
    counts = Counts()
    file = write(tmp_path / "a.jsonl", r'{"text": "a \ud83d b \ud83d\ude42"}')
    assert texts(file, counts=counts) == ["a \ufffd b 🙂"]
    assert counts.undecodable == 1


def test_a_byte_order_mark_is_no_text(tmp_path):
    assert texts(write(tmp_path / "a.txt", "\ufeffhere")) == ["here"]
    assert texts(write(tmp_path / "a.csv", "\ufefftext\nhere\n")) == ["here"]


def test_empty_documents_are_left_out_and_counted(tmp_path):
    write(tmp_path / "a.txt", "")
    write(tmp_path / "b.txt", " \n\t\u00a0\n")
    write(tmp_path / "c.txt", "<|endoftext|>\nx\n<|endoftext|>\n<|endoftext|>\ny")
    counts = Counts()
    found = list(documents([str(tmp_path)], counts=counts))
    assert [(one.number, one.text) for one in found] == [(1, "x"), (3, "y")]
    assert counts == Counts(documents=6, empty=4)


@pytest.mark.parametrize(
    ("unit", "ends"), [("word " * 9 + "\n", "\n"), ("word " * 9, "word"), ("x", "x"), ("語", "語")], ids=ascii
)
def test_a_long_document_is_cut_at_a_line_a_space_or_anywhere_and_nothing_is_lost(tmp_path, unit, ends):
    whole = unit * (3 * LONGEST // len(unit) + 7)
    rows = json.dumps({"text": whole})
    for file in (write(tmp_path / "a.txt", whole), write(tmp_path / "a.jsonl", rows + "\n" + rows)):
        counts = Counts()
        found = [one for one in documents([str(file)], counts=counts) if one.number == 0]
        assert "".join(one.text for one in found) == whole
        assert all(len(one.text) <= LONGEST and one.text.endswith(ends) for one in found[:-1])
        assert len(found) in {4, 5}
        assert all(whole.startswith(one.text, one.character) for one in found)
        assert counts == Counts(documents=1 + file.name.endswith("jsonl"), cut=1 + file.name.endswith("jsonl"))


def test_one_endless_line_takes_little_memory(tmp_path):
    file = tmp_path / "a.txt.gz"
    with gzip.open(file, "wb", compresslevel=1) as out:
        for _ in range(64):
            out.write(b"x" * (1 << 20))
    tracemalloc.start()
    size = sum(len(one.text) for one in documents([str(file)], counts=Counts()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 64 << 20
    assert peak < 4 << 20


BROKEN = {
    "cut.txt.gz": (gzip.compress(os.urandom(9000))[:5000], "the gzip file is damaged or cut off"),
    "not.txt.gz": (b"plain text", "the gzip file is damaged or cut off"),
    "cut.csv.gz": (gzip.compress(b"text\n" + os.urandom(9000).hex().encode())[:5000], "is damaged or cut off"),
    "wide.txt": ("text".encode("utf-16"), "is written in UTF-16. Save it as UTF-8."),
    "a.jsonl": (b'{"text": "x"}\n{"text": \n', r"a\.jsonl, line 2 is not JSON"),
    "deep.jsonl": (b"[" * 100_000, r"deep\.jsonl, line 1 is not JSON"),
    "list.jsonl": (b"[1]", r"list\.jsonl, line 1 is no JSON object with a field 'text'"),
    "other.jsonl": (b'{"title": "x", "body": "y"}', r"No field 'text' in .*line 1\. .* there are title, body"),
    "number.jsonl": (b'{"text": 5}', "The field 'text' of .* line 1 holds no text but 5"),
    "other.csv": (b"title,body\nx,y\n", r"No field 'text' in .*other\.csv\. .* there are title, body"),
    "ragged.csv": (b"text,b\nx,y\nz\n", r"Cannot read .*ragged\.csv as the \.csv file .*: .*2 columns"),
    "empty.csv": (b"", r"Cannot read .*empty\.csv as the \.csv file"),
    "a.parquet": (b"PAR1 nothing of the kind PAR1", r"Cannot read .*a\.parquet"),
    "empty.parquet": (b"", r"Cannot read .*empty\.parquet"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_refused_in_one_sentence_that_names_it(tmp_path, name):
    content, said = BROKEN[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=said) as refusal:
        texts(tmp_path / name)
    assert name in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_parquet_column_of_numbers_and_a_damaged_page_are_refused(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    file = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"text": [1, 2], "body": ["x", "y"]}), file)
    with pytest.raises(FileError, match=r"'text' of .* holds no text but int64.* there are text, body"):
        texts(file)
    with pytest.raises(FileError, match=r"No field 'txt' in .* there are text, body\."):
        texts(file, field="txt")
    parquet.write_table(pa.table({"text": [os.urandom(50).hex() for _ in range(1000)]}), file)
    data = bytearray(file.read_bytes())
    data[100:2000] = bytes(1900)
    file.write_bytes(data)
    with pytest.raises(FileError, match=r"Cannot read .*a\.parquet"):
        texts(file)


def test_sources_that_are_not_there_are_refused_before_anything_is_read(tmp_path):
    write(tmp_path / "notes.md", "x")
    for sources, said in [
        ([], "No text was named"),
        ([tmp_path / "no.txt"], r"No file or folder .*no\.txt"),
        ([tmp_path / "*.txt"], r"No file or folder .*\*\.txt"),
        ([tmp_path / "notes.md"], r"Cannot tell what kind of text .*notes\.md is"),
        ([tmp_path], "holds no text that can be read"),
    ]:
        with pytest.raises(FileError, match=said):
            documents([str(source) for source in sources], counts=Counts())


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the superuser may read every file")
def test_a_file_without_permission_is_refused(tmp_path):
    write(tmp_path / "a.txt", "x").chmod(0)
    with pytest.raises(FileError, match="Permission denied"):
        texts(tmp_path / "a.txt")


def test_a_file_that_vanishes_is_refused(tmp_path):
    file = write(tmp_path / "a.txt", "x")
    stream = documents([str(file)], counts=Counts())
    file.unlink()
    with pytest.raises(FileError, match=r"Cannot read .*a\.txt: No such file"):
        next(stream)


def test_a_data_set_is_streamed_by_column_and_split(tmp_path):
    pytest.importorskip("datasets", reason="needs the optional package datasets")
    write(tmp_path / "set" / "train.jsonl", '{"text": "one", "n": 1}\n{"text": "two", "n": 2}\n')
    write(tmp_path / "set" / "test.jsonl", '{"text": "three", "n": 3}\n')
    assert texts(f"hf:{tmp_path}/set") == ["one", "two"]
    assert texts(f"hf:{tmp_path}/set::test") == ["three"]
    with pytest.raises(FileError, match=r"No field 'story' in .*row 0\. .* there are text, n"):
        texts(f"hf:{tmp_path}/set", field="story")
    with pytest.raises(FileError, match=r"The data set .* cannot be read: .*dev"):
        texts(f"hf:{tmp_path}/set::dev")


def test_a_data_set_out_of_reach_is_one_sentence(monkeypatch):
    with pytest.raises(FileError, match=r"comes from the network, and NeuronScope is offline"):
        texts("hf:owner/name", offline=True)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(FileError, match="one more package: pip install datasets"):
        texts("hf:owner/name")


def test_reading_stops_when_it_is_no_longer_wanted(tmp_path):
    class Unwanted:
        def check(self) -> None:
            raise Cancelled

    with running(Unwanted()), pytest.raises(Cancelled):
        texts(write(tmp_path / "a.txt", "x"))
