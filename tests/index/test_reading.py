"""What a corpus that was read promises: the tokens that the model would see, each shown as it shows it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuronscope.errors import (
    DamagedIndex,
    EmptyText,
    FileError,
    InputError,
    NoIndex,
    NoSuchToken,
    OtherIndex,
    TextTooLong,
)
from neuronscope.index import reading
from neuronscope.index.encoding import Encoder
from neuronscope.index.reading import ReadCorpus, read
from neuronscope.jobs import Cancelled, Progress, running
from neuronscope.models.loading import LoadedModel, attach, load
from neuronscope.models.tokenization import tokenize
from tests import models_for_tests as tiny

HARD = (
    "Hello  wörld 🙂\n café\t<b>&amp;</b> שלום العربية \x07 a\u200bb \u202e! 👩\u200d👧 ｘ e\u0301o\u0302 한글 각 ﷺ ",
    " leading, and trailing ",
    "\n",
    "naïve façade — 東京 の 天気\r\n" * 3,
    "x",
)
MODELS = {
    "demo": "demo:stories",
    "demo, gated": "demo:stories-llama",
    "byte-level": "made-gpt2-stories-series/step02000",
    "byte fallback": "stories260k",
    "characters": "babyllama-tok105",
    "word pieces": "minilm-l6-encoder",
}


@pytest.fixture(scope="module", params=MODELS.values(), ids=MODELS.keys())
def model(request: pytest.FixtureRequest) -> LoadedModel:
    if request.param.startswith("demo:"):
        return load(request.param)
    return load(str(request.getfixturevalue("shared_data") / request.param))


@pytest.fixture(scope="module")
def words() -> LoadedModel:
    """A model whose tokenizer knows twenty words, and for others the id that also begins and ends a text."""
    return attach(tiny.gpt2(), tiny.tokenizer(), "words")


def lines(folder: Path, *texts: str) -> list[str]:
    """A JSON-lines file of `texts`, as sources."""
    file = folder / "texts.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return [str(file)]


def tokens_of(model: LoadedModel, text: str):
    """The tokens of a whole text without the special ones around it."""
    tokens = model.tokens(text)
    lead, tail = len(Encoder(model.tokenizer).lead), len(Encoder(model.tokenizer).tail)
    return tokens, slice(lead, len(tokens) - tail)


def test_every_document_is_cut_and_shown_as_the_model_does_it(model, tmp_path):
    texts = [text for text in HARD if text.strip()]
    corpus = read(model, lines(tmp_path, *texts), tmp_path, window=16)
    firsts = [*corpus.documents["first"].tolist(), len(corpus)]
    assert len(corpus.documents) == len(texts)
    for document, text in enumerate(texts):
        whole, inner = tokens_of(model, text)
        first, last = firsts[document : document + 2]
        found = corpus.tokens(first, last)
        assert found.ids.tolist() == whole.ids[inner].tolist()
        assert found.display == whole.display[inner]
        start = whole.offsets[inner][:, 0].min()
        assert (found.offsets + start).tolist() == whole.offsets[inner].tolist()
        assert text[start:].startswith(found.text)


def test_any_stretch_is_shown_as_it_stands_in_its_document(model, tmp_path):
    corpus = read(model, lines(tmp_path, *HARD), tmp_path, window=16)
    whole, inner = tokens_of(model, HARD[0])
    display, offsets = whole.display[inner], whole.offsets[inner]
    last = int(corpus.documents["first"][1])
    for first in range(last):
        for stop in range(first + 1, min(first + 9, last) + 1):
            found = corpus.tokens(first, stop)
            assert found.display == display[first:stop]
            assert found.text == HARD[0][offsets[first:stop, 0].min() : offsets[first:stop, 1].max()]
        assert corpus.place(first).character == offsets[first, 0]
        assert corpus.place(first).document == 0


def test_bytes_of_one_character_are_numbered_though_only_some_are_asked_for(shared_data, tmp_path):
    model = load(str(shared_data / "stories260k"))
    corpus = read(model, lines(tmp_path, "a 🙂 b"), tmp_path)
    at = corpus.tokens(0, len(corpus)).display.index("🙂[3/4]")
    assert corpus.tokens(at, at + 1).display == ("🙂[3/4]",)
    assert corpus.tokens(at, at + 1).text == "🙂"


def test_each_id_is_shown_alone_as_the_model_shows_it(model, tmp_path):
    corpus = read(model, lines(tmp_path, *HARD), tmp_path, window=16)
    for token in np.unique(corpus.ids).tolist():
        assert corpus.display(token) == model.display(token)
    assert corpus.display(10_000_000) == "⟨10000000⟩"


def test_windows_cover_a_document_and_each_token_counts_once_at_most(model, tmp_path):
    texts = [" ".join(["Once upon a time there was a dog."] * n) for n in (1, 3, 40)]
    for window, overlap in [(8, 0), (16, 4), (32, 11), (64, 0)]:
        corpus = read(model, lines(tmp_path, *texts), tmp_path, window=window, overlap=overlap)
        body = window - len(corpus.lead) - len(corpus.tail)
        counted, seen = np.zeros(len(corpus), int), np.zeros(len(corpus), int)
        firsts = [*corpus.documents["first"].tolist(), len(corpus)]
        for number, one in enumerate(corpus.windows):
            first, length, context = int(one["first"]), int(one["length"]), int(one["context"])
            assert 0 < length - context <= length <= body
            assert firsts[one["document"]] <= first < first + length <= firsts[one["document"] + 1]
            assert context == (overlap if first > firsts[one["document"]] else 0)
            counted[first : first + length] += corpus.kept(number)
            seen[first + context : first + length] += 1
            positions = np.arange(first + context, first + length)
            assert (corpus.window_of(positions) == number).all()
        assert (seen == 1).all()
        assert (counted == corpus.counted).all()
        heads = corpus.windows["first"][corpus.windows["context"] == 0]
        assert np.flatnonzero(counted == 0).tolist() == ([] if corpus.lead else heads.tolist())


def test_the_special_tokens_around_a_text_are_found(model, tmp_path):
    corpus = read(model, lines(tmp_path, "One day."), tmp_path)
    assert [*corpus.lead, *corpus.ids.tolist(), *corpus.tail] == model.tokens("One day.").ids.tolist()


def test_the_name_of_a_special_token_in_a_text_is_text(model, tmp_path):
    special = model.tokenizer.all_special_tokens
    corpus = read(model, lines(tmp_path, *[f"a {name} b{name}" for name in special]), tmp_path)
    unknown = {model.tokenizer.unk_token_id}
    assert not set(corpus.ids.tolist()) & (set(model.tokenizer.all_special_ids) - unknown)
    assert corpus.about["counts"]["special"] == 0
    assert len(corpus.documents) == len(special)


def test_a_special_token_that_text_makes_all_the_same_is_left_out_and_counted(tmp_path):
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    plain = Tokenizer(models.WordLevel({"<unk>": 0, "</s>": 1, "a": 2, "b": 3}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, eos_token="</s>", unk_token="<unk>")
    model = attach(tiny.gpt2(), tokenizer, "words")
    corpus = read(model, lines(tmp_path, "a </s> b", "</s>", "b zebra a"), tmp_path, window=8)
    assert corpus.ids.tolist() == [2, 3, 3, 0, 2]
    assert corpus.tokens(0, 2).offsets.tolist() == [[0, 1], [7, 8]]
    assert corpus.counted.tolist() == [False, True, False, True, True]
    assert corpus.about["counts"] | {"special": 2, "tokenless": 1, "documents": 3} == corpus.about["counts"]


def test_unknown_text_stands_but_does_not_count_where_its_token_is_a_special_one(words, tmp_path):
    corpus = read(words, lines(tmp_path, "the zebra sat"), tmp_path, window=8)
    assert corpus.ids.tolist() == [tiny.WORDS.index("the"), 0, tiny.WORDS.index("sat")]
    assert corpus.counted.tolist() == corpus.kept(0).tolist() == [False, False, True]
    assert corpus.tokens(0, 3).special.tolist() == [False, True, False]


def test_the_models_own_tokenizer_is_left_as_it_was(model, tmp_path):
    before = model.tokenizer.backend_tokenizer.to_str()
    read(model, lines(tmp_path, *HARD), tmp_path, window=16)
    assert model.tokenizer.backend_tokenizer.to_str() == before
    assert not model.tokenizer.backend_tokenizer.encode_special_tokens


def test_reading_stops_at_the_tokens_asked_for_and_what_is_read_is_the_same(words, tmp_path):
    texts = ["the cat sat on the mat ."] * 50
    whole = read(words, lines(tmp_path, *texts), tmp_path / "whole", window=5)
    part = read(words, lines(tmp_path, *texts), tmp_path / "part", window=5, tokens=100)
    assert len(whole) == 350
    assert len(part) == 100
    assert part.ids.tolist() == whole.ids[:100].tolist()
    assert int(part.windows["length"].sum()) == 100
    assert len(part.documents) == 15
    assert part.tokens(98, 100).display == whole.tokens(98, 100).display


def test_the_same_corpus_is_the_same_fingerprint_however_it_is_batched(words, tmp_path, monkeypatch):
    sources = lines(tmp_path, *["the cat sat . " * n for n in range(1, 30)])
    one = read(words, sources, tmp_path / "one", window=6, overlap=2)
    monkeypatch.setattr(reading, "_TOGETHER", 7)
    other = read(words, sources, tmp_path / "other", window=6, overlap=2)
    for name in ("ids", "spans", "windows", "documents", "text"):
        assert (getattr(one, name) == getattr(other, name)).all()
    assert one.about == other.about
    assert read(words, sources, tmp_path / "other", window=7, overlap=2).fingerprint != one.fingerprint
    assert read(words, lines(tmp_path, "the cat"), tmp_path / "other", window=6).fingerprint != one.fingerprint


def test_documents_know_their_source_and_stretches_where_they_start(words, tmp_path):
    (tmp_path / "a.txt").write_text("the cat\n<|endoftext|>\n \n<|endoftext|>\nthe dog\n")
    (tmp_path / "b.txt").write_text("a bird sang . " * 20_000)
    corpus = read(words, [str(tmp_path / "a.txt"), str(tmp_path / "b.txt")], tmp_path, window=32)
    assert corpus.sources == (str(tmp_path / "a.txt"), str(tmp_path / "b.txt"))
    assert corpus.documents["source"].tolist() == [0, 0, 1, 1, 1]
    assert corpus.documents["number"].tolist() == [0, 2, 0, 0, 0]
    assert corpus.about["counts"]["cut"] == corpus.about["counts"]["empty"] == 1
    whole = (tmp_path / "b.txt").read_text()
    for position in (4, 5, len(corpus) - 1, int(corpus.documents["first"][3])):
        place = corpus.place(position)
        assert place.source == str(tmp_path / "b.txt")
        assert whole[place.character :].startswith(corpus.tokens(position, position + 1).text)


def test_text_of_no_token_is_refused_and_leaves_nothing(words, tmp_path):
    folder = tmp_path / "index"
    with pytest.raises(FileError, match=r"Nothing in .*texts\.jsonl makes a token"):
        read(words, lines(tmp_path, " ", "\n"), folder, window=8)
    assert list(folder.iterdir()) == []


def test_settings_that_make_no_sense_are_refused(words, model, tmp_path):
    sources = lines(tmp_path, "the cat")
    with pytest.raises(TextTooLong, match=r"A window of 33 tokens: words reads at most 32\."):
        read(words, sources, tmp_path, window=33)
    with pytest.raises(InputError, match="2 are the least"):
        read(words, sources, tmp_path, window=1)
    with pytest.raises(InputError, match="An overlap of 8 tokens: in this window it can be 0 to 7"):
        read(words, sources, tmp_path, window=8, overlap=8)
    with pytest.raises(InputError, match="ask for 1 to"):
        read(words, sources, tmp_path, tokens=0, window=8)
    special = len(Encoder(model.tokenizer).lead) + len(Encoder(model.tokenizer).tail)
    assert len(read(model, lines(tmp_path, "One day."), tmp_path, window=2 + special)) > 1


def test_more_tokens_than_positions_can_name_are_refused(words, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MOST_TOKENS", 5)
    with pytest.raises(InputError, match=r"more than 5 tokens\. Say how many"):
        read(words, lines(tmp_path, "the cat sat on the mat"), tmp_path, window=8)
    assert len(read(words, lines(tmp_path, "the cat sat on the mat"), tmp_path, window=8, tokens=5)) == 5


class Stopping:
    """A job that is no longer wanted at its third report."""

    def __init__(self) -> None:
        self.heard: list[Progress] = []

    def check(self) -> None:
        if len(self.heard) > 2:
            raise Cancelled

    def report(self, progress: Progress) -> None:
        self.heard.append(progress)


def test_a_stopped_reading_leaves_what_was_there_before(words, tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "_TOGETHER", 1)
    before = read(words, lines(tmp_path, "the cat"), tmp_path / "index", window=8).fingerprint
    job = Stopping()
    with running(job), pytest.raises(Cancelled):
        read(words, lines(tmp_path, *["the dog sat"] * 9), tmp_path / "index", window=8, tokens=20)
    assert [(one.done, one.total) for one in job.heard] == [(0, 20), (3, 20), (6, 20)]
    assert [path.name for path in (tmp_path / "index").iterdir()] == ["corpus"]
    assert ReadCorpus.open(tmp_path / "index").fingerprint == before


def test_what_a_killed_process_left_is_never_opened_and_swept_away(words, tmp_path):
    left = tmp_path / "index" / ".corpus.999999999.part"
    left.mkdir(parents=True)
    (left / "ids.npy").write_bytes(b"half")
    with pytest.raises(NoIndex, match="No corpus was read into"):
        ReadCorpus.open(tmp_path / "index")
    read(words, lines(tmp_path, "the cat"), tmp_path / "index", window=8)
    assert [path.name for path in (tmp_path / "index").iterdir()] == ["corpus"]


def test_a_folder_that_cannot_be_written_is_refused(words, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="Cannot write the corpus into"):
        read(words, lines(tmp_path, "the cat"), tmp_path / "file" / "index", window=8)


def test_damage_is_found(words, tmp_path):
    def fresh() -> Path:
        read(words, lines(tmp_path, *["the cat sat"] * 9), tmp_path, window=8)
        return tmp_path / "corpus"

    for name in ("ids.npy", "spans.npy", "windows.npy", "documents.npy", "text.utf8", "vocabulary.json"):
        file = fresh() / name
        ReadCorpus.open(tmp_path).verify()
        data = file.read_bytes()
        file.write_bytes(data[:-3])
        with pytest.raises(DamagedIndex, match="is damaged"):
            ReadCorpus.open(tmp_path)
        flipped = data[:-4].replace(b"the", b"thE", 1) if name.endswith("json") else data[:-4] + b"!"
        file.write_bytes(flipped + data[len(flipped) :])
        with pytest.raises(DamagedIndex, match=f"{name} is not what was written there"):
            ReadCorpus.open(tmp_path).verify()
    about = fresh() / "corpus.json"
    about.write_text(about.read_text().replace('"schema": 1', '"schema": 99'))
    with pytest.raises(OtherIndex, match="has layout 99, and this program reads"):
        ReadCorpus.open(tmp_path)
    about.write_text("{")
    with pytest.raises(DamagedIndex, match="is damaged"):
        ReadCorpus.open(tmp_path)


def test_a_vocabulary_that_cannot_be_read_is_told_when_it_is_needed(words, tmp_path):
    read(words, lines(tmp_path, "the cat"), tmp_path, window=8)
    (tmp_path / "corpus" / "vocabulary.json").write_text("{]}")
    corpus = ReadCorpus.open(tmp_path)
    assert corpus.tokens(0, 2).display == ("the", "cat")
    with pytest.raises(DamagedIndex, match="is damaged"):
        corpus.display(0)


def test_positions_that_are_not_there_or_cross_a_document_are_refused(words, tmp_path):
    corpus = read(words, lines(tmp_path, "the cat", "the dog"), tmp_path, window=8)
    for first, last in [(1, 3), (2, 2), (3, 5)]:
        with pytest.raises(NoSuchToken, match="in one document"):
            corpus.tokens(first, last)
    with pytest.raises(NoSuchToken, match="this corpus has tokens 0 to 3"):
        corpus.place(4)


@pytest.fixture(scope="module")
def encoders(shared_data):
    from transformers import AutoTokenizer

    folders = [shared_data / name for name in MODELS.values() if ":" not in name]
    tokenizers = [AutoTokenizer.from_pretrained(str(folder)) for folder in folders]
    return [(tokenizer, Encoder(tokenizer)) for tokenizer in tokenizers]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.text(max_size=40), min_size=1, max_size=4))
def test_any_texts_together_are_encoded_as_each_alone(encoders, texts):
    for tokenizer, encoder in encoders:
        encoded = encoder.encode(texts)
        stops = np.cumsum(encoded.lengths)
        for text, start, stop in zip(texts, stops - encoded.lengths, stops, strict=True):
            try:
                alone = tokenize(tokenizer, text)
            except EmptyText:
                assert stop == start or not text.strip()
                continue
            inner = slice(len(encoder.lead), len(alone) - len(encoder.tail))
            assert encoded.ids[start:stop].tolist() == alone.ids[inner].tolist()
            expected = [[len(text[:a].encode()), len(text[a:b].encode())] for a, b in alone.offsets[inner].tolist()]
            assert encoded.spans[start:stop].tolist() == expected
