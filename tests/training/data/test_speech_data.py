"""The speech data builder: every label has a phone, labels keep their times, the same seed gives the same cache."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st
from repository import ROOT

from engine.shared.errors import EngineError
from training.data import build, espeak, festival, flite
from training.data.alignment import bilabial_dips, sibilant_offset
from training.data.corpus import HELD_OUT_RUSSIAN, Clip, Corpus, load_corpus
from training.data.phone_sets import IPA, RUSSIAN, US_ENGLISH, from_ipa, from_table, rows
from training.data.recorded import phone_ends, russian_recordings
from training.data.sentences import FOREIGN, Sentences, foreign_sentences, split_fortunes
from training.data.utterance import Utterance, shifted
from training.phones import PHONES, SILENCE, is_stressed, to_phone

# Every label of festvox-ru's 620 files, as `cut -d' ' -f3 lab/* | sort -u` lists them.
RUSSIAN_LABELS = (
    "a aa ae ay b bb c ch d dd e ee f ff g gg h hh i ii j k kk l ll m mm n nn oo p pau pp r rr s sch sh ss t tt u ur "
    "uu v vv y yy z zh zz"
)
# Every name that espeak-ng 1.51 gave to the phones of 200 sentences (English) and 60 (others).
ESPEAK_NAMES = {
    "en-us": "ɐ tʃ eɪ n f ɪ k s t ə p əl z æ h b ɹ aʊ d ɛ ʌ ɚ ɑːɹ m w l ɑː ɔ ð aɪ ʊɹ ŋ iː uː i ɾ ɔː ɔɪ dʒ v ʃ ʔ n̩ oʊ "
    "iə j ɪɹ ɔːɹ ᵻ ɜː oːɹ θ aɪɚ ʊ oː ʒ ɡ ɛɹ x aɪə",
    "en-gb-scotland": "eː a a: r ʌʉ ɒ ʉɹ ʉː ʉ ʲ ʍ ʌɹ o əɹ e aː",
    "de": "ç øː ɔø y œ ɛː ?? yː (en) (de) pf ts ʊ",
    "es": "ɲ β ʝ ʎ ɣ eʊ oɪ",
    "it": "ss (fr) (it) ɛɪ dz",
    "fr": "ə- ø œ ʁ ɑ̃ œ̃ ɔ̃ a- i- y- e- ɛ̃",
    "ru": 'ɭ tʃʲ ju ɕ dʲ mʲ tʲ u" sʲ ʑ ja ɪ^ dʒʲ ɵ',
    "hi": "bʰ ɟ pʰ c r. ɛ̃ ɡʰ cʰ ɟʰ ɳ ɖ ʈʰ ɖʰ tʰ kʰ",
    "cmn-latn-pinyin": "χ ɑu tɕ th iɛ tɕh ts. onɡ uo yɛ s. ts.h i. ʐ tsh ai i̪ iɑ ər ph ou uei iou yæ uai yu kh uə",
}
# What names must give, above all where lips close or round.
EXPECTED = {
    "bʰ": ["B"], "pf": ["P", "F"], "ts": ["T", "S"], "ts.h": ["CH"], "ph": ["P"], "øː": ["UH"], "y": ["UW"],
    "ɑːɹ": ["AA", "R"], "aɪɚ": ["AY", "ER"], "onɡ": ["OW", "NG"], "ɔ̃": ["AO"], "r": ["D"], "ɹ": ["R"], "β": ["V"],
    "": [SILENCE], "(en)": [], "uei": ["UW", "EY"], "n̩": ["N"], "mʲ": ["M"],
}  # fmt: skip


def test_tables_hold_phones_of_the_inventory():
    for table in (US_ENGLISH, RUSSIAN, IPA):
        for phones in table.values():
            for phone in phones.split():
                assert to_phone(phone) in PHONES
                assert phone.rstrip("012") in PHONES
                if is_stressed(phone) is not None:
                    assert PHONES[phone[:-1]].manner == "vowel"


def test_every_label_of_the_recordings_is_known():
    vowels = [symbol for symbol, phone in PHONES.items() if phone.manner == "vowel"]
    stressed = [f"{vowel}{stress}" for vowel in vowels for stress in "012"]
    assert all(to_phone(label) == label[:2] for label in stressed)
    assert [to_phone(label) for label in ("sil", "sp", "spn")] == [SILENCE, SILENCE, "AH"]


def test_every_russian_label_is_known_and_stress_doubles_the_vowel():
    assert set(RUSSIAN_LABELS.split()) <= set(RUSSIAN)
    assert from_table("bb", RUSSIAN, "") == ["B"]
    assert from_table("pp", RUSSIAN, "") == ["P"]
    assert all(is_stressed(RUSSIAN[label]) for label in ("aa", "ee", "ii", "oo", "uu", "yy"))
    assert not any(is_stressed(RUSSIAN[label]) for label in ("a", "e", "i", "u", "y", "ae", "ay", "ur"))


@pytest.mark.parametrize("language", ESPEAK_NAMES)
def test_every_name_of_espeak_is_known(language):
    for name in ESPEAK_NAMES[language].split():
        phones = from_ipa(name, language)
        assert all(phone in PHONES for phone in phones)
        assert phones or name.startswith("(")


@pytest.mark.parametrize("name", EXPECTED)
def test_names_of_espeak_map_to_the_phones_that_the_lips_show(name):
    assert from_ipa(name, "test") == EXPECTED[name]


@pytest.mark.parametrize("unknown", ["ʘ", "aʘ", "日"])
def test_unknown_labels_are_errors_and_no_neutral_vowels(unknown):
    with pytest.raises(EngineError, match="add it to the table"):
        from_ipa(unknown, "a voice")
    with pytest.raises(EngineError, match="add it to the table"):
        from_table(unknown, US_ENGLISH, "a voice")


@given(
    st.lists(st.tuples(st.sampled_from([["AA"], ["T", "S"], []]), st.floats(0.0, 0.5)), min_size=1, max_size=20),
)
def test_rows_keep_times_and_leave_no_gap(parts):
    ends = np.cumsum([0.0] + [duration for _, duration in parts])
    result = rows([(phones, ends[i], ends[i + 1]) for i, (phones, _) in enumerate(parts)])
    for before, after in pairwise(result):
        assert before[2] == pytest.approx(after[1], abs=2e-5)
    if result:
        assert result[-1][2] == pytest.approx(ends[-1], abs=2e-5)


def test_labels_of_each_source_become_rows_with_their_times():
    assert flite.phone_rows("pau:0.2 ax:0.3 b:0.4 ") == [[SILENCE, 0.0, 0.2], ["AH0", 0.2, 0.3], ["B", 0.3, 0.4]]
    printed = "0.0 0.2 pau 0\n0.2 0.3 ae 1\n0.3 0.4 el 0\n"
    assert festival.phone_rows(printed)[1:3] == [["AE1", 0.2, 0.3], ["AH0", 0.3, 0.35]]
    header_and_phones = [["#"], ["0.25", "125", "pau"], ["0.35", "125", "bb"]]
    assert phone_ends(header_and_phones) == [[SILENCE, 0.0, 0.25], ["B", 0.25, 0.35]]
    assert shifted([["AA", 0.0, 0.2], ["B", 0.2, 0.4]], 0.01) == [["AA", 0.0, 0.21], ["B", 0.21, 0.41]]


def hiss_and_hum(offset: float) -> tuple[np.ndarray, list]:
    """Vowels of low harmonics with hiss between them, whose labels run ahead of the sound by `offset` seconds."""
    generator = np.random.default_rng(1)
    times = np.arange(int(4.0 * 16000)) / 16000
    audio = sum(np.sin(2 * np.pi * 120 * order * times) / order for order in range(1, 20))
    phones, position = [], 0.0
    for _ in range(10):
        phones += [["AA", position, position + 0.25], ["S", position + 0.25, position + 0.37]]
        hissing = (times >= position + 0.25 + offset) & (times < position + 0.37 + offset)
        audio[hissing] = generator.standard_normal(hissing.sum())
        position += 0.37
    return 0.1 * audio, [*phones, ["AA", position, 4.0]]


@pytest.mark.parametrize("offset", [-0.02, 0.0, 0.015])
def test_the_label_offset_is_measured(offset):
    assert sibilant_offset([hiss_and_hum(offset)]) == pytest.approx(offset, abs=0.003)


def test_the_bilabial_check_tells_right_from_late_labels():
    generator = np.random.default_rng(2)
    audio = generator.standard_normal(32000)
    audio[16000:17600] *= 0.01
    right = [["AA", 0.0, 1.0], ["B", 1.0, 1.1], ["AA", 1.1, 2.0]]
    late = [["AA", 0.0, 1.3], ["B", 1.3, 1.4], ["AA", 1.4, 2.0]]
    assert bilabial_dips([(audio, right)]).all()
    assert not bilabial_dips([(audio, late)]).any()


def test_espeak_stops_begin_with_the_quiet_before_their_burst():
    samples = (3000 * np.random.default_rng(3).standard_normal(16000)).astype(np.int16)
    samples[7200:8000] = 0  # 50 ms of closure, which the events count to the vowel
    phones = espeak.with_closures([["AA", 0.0, 0.5], ["P", 0.5, 0.55], ["AA", 0.55, 1.0]], samples)
    assert phones[1][1] == phones[0][2] == pytest.approx(0.45, abs=0.006)
    assert phones[1][2:] == [0.55]
    assert phones[2] == ["AA", 0.55, 1.0]
    voiced = [["AA", 0.0, 0.5], ["M", 0.5, 0.55], ["AA", 0.55, 1.0]]
    assert espeak.with_closures(voiced, samples) == voiced


def tiny_data(folder: Path) -> Path:
    """A data folder with two recordings, an evaluation text and forty prompts."""
    (folder / "speech" / "so762").mkdir(parents=True)
    labels = {}
    for corpus, name, text in (("so762", "a", "MA"), ("lj32", "b", "The evaluation text is spoken by no voice, ever.")):
        path = f"so762/{name}.flac"
        soundfile.write(folder / "speech" / path, 0.1 * np.random.default_rng(0).standard_normal(8000), 16000)
        labels[path] = {"corpus": corpus, "spk": name, "text": text, "qc_ok": True, "file": path}
        labels[path]["phones"] = [["M", 0.0, 0.2], ["AA1", 0.2, 0.5]]
    (folder / "speech" / "labels.json.gz").write_bytes(gzip.compress(json.dumps(labels).encode()))
    prompts = ["The evaluation text is spoken by no voice ever"] * 20
    prompts += [f"This is the prompt with the number {number}." for number in range(40)]
    (folder / "speech" / "sentences_en.txt").write_text("\n".join(prompts), "utf-8")
    return folder


class Speaker:
    """A voice without a program: one vowel per text, whose samples depend on the text."""

    VOICES = flite.VOICES

    @staticmethod
    def speak(voice, texts, seed=0):
        for index, text in enumerate(texts):
            samples = np.full(1600, len(text) + int(text.split()[-1].rstrip(".")), np.int16)
            yield Utterance(f"{voice}{index}", "flite", voice, [["AA", 0.0, 0.1]], samples)


def test_the_same_seed_gives_the_same_cache_without_evaluation_texts(tmp_path, monkeypatch):
    data = tiny_data(tmp_path / "data")
    for name in ("flite", "festival", "espeak"):
        monkeypatch.setattr(build, name, Speaker)
    monkeypatch.setattr(build, "russian_recordings", lambda: iter(()))
    monkeypatch.setattr(build.instruments, "played", lambda seed: iter(()))
    monkeypatch.setattr(build, "foreign_sentences", lambda language, count, seed: ["Satz 1."] * count)
    for name, seed in (("first", 5), ("second", 5), ("third", 6)):
        build.build_cache(data, tmp_path / name, 20, seed)
    files = [(tmp_path / name / "samples.npy").read_bytes() for name in ("first", "second", "third")]
    assert files[0] == files[1] != files[2]
    indices = [(tmp_path / name / "clips.json").read_bytes() for name in ("first", "second")]
    assert indices[0] == indices[1]
    corpus = load_corpus(data, tmp_path / "first")
    assert [len(corpus.audio(clip)) for clip in corpus.clips] == [clip.samples for clip in corpus.clips]
    with pytest.raises(EngineError, match="synthesise fewer"):
        Sentences(data, ["The evaluation text is spoken by no voice, ever!"], 0).take(41)


def test_a_missing_program_leaves_no_cache_and_names_its_package(tmp_path, monkeypatch):
    data = tiny_data(tmp_path / "data")
    monkeypatch.setattr(build, "russian_recordings", lambda: russian_recordings(tmp_path))
    with pytest.raises(EngineError, match="festvox-ru"):
        build.build_cache(data, tmp_path / "cache", 20)
    assert not (tmp_path / "cache").exists()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EngineError, match="Debian's flite"):
        next(flite.speak("slt", ["Hello."]))
    with pytest.raises(EngineError, match="festvox-kallpc16k"):
        next(festival.speak("kal_diphone", ["Hello."]))
    with pytest.raises(EngineError, match="fortunes-de"):
        foreign_sentences("de", 1, 0, tmp_path)


def test_russian_utterances_are_held_out_by_number():
    numbers = [609, 610, 620, 621, 830, 831, 844]
    clips = [Clip(f"festvox-ru/ru_{number:04d}", "festvox-ru", "festvox-ru", 0, 1, []) for number in numbers]
    corpus = Corpus(clips, np.zeros(1, np.int16))
    held_out = [int(clip.key[-4:]) for clip in corpus.select("festvox-ru", held_out=True)]
    assert held_out == [610, 620, 831, 844]
    assert len(HELD_OUT_RUSSIAN) == 2
    assert len(corpus.select("festvox-ru", held_out=False)) == 3
    assert len(corpus.select("festvox-ru")) == 7


def test_fortunes_become_sentences():
    poem = "\x1b[32m《诗》\x1b[m\n作者：人\n兰叶春葳蕤，桂华秋皎洁。\n"
    text = poem + "%\nEin Satz, der lang genug ist. Kurz.\n\t\t-- Jemand Bekanntes.\n%\n"
    assert split_fortunes(text) == ["兰叶春葳蕤，桂华秋皎洁。", "Ein Satz, der lang genug ist."]


def test_own_sentences_are_spoken_again_when_there_are_too_few():
    for language in ("fr", "hi"):
        assert language in FOREIGN
        texts = foreign_sentences(language, 100, 0)
        assert len(texts) == 100
        assert len(set(texts)) == 40
        assert texts == foreign_sentences(language, 100, 0)


def has_espeak() -> bool:
    try:
        espeak.library()
    except EngineError:
        return False
    return True


@pytest.mark.skipif(not has_espeak(), reason="libespeak-ng is not installed")
def test_espeak_times_fit_its_sound():
    texts = ["She sells sea shells by the sea shore, and Peter picks a pepper.", "Bob may buy a map of Panama."]
    heard = []
    for utterance in espeak.speak("en-us", texts, 3):
        assert utterance.phones[-1][2] == pytest.approx(len(utterance.samples) / 16000, abs=0.01)
        heard.append((utterance.samples / 32768, utterance.phones))
    assert abs(sibilant_offset(heard)) < 0.015
    assert bilabial_dips(heard).mean() > 0.7


@pytest.mark.slow
@pytest.mark.skipif(not has_espeak(), reason="libespeak-ng is not installed")
def test_espeak_says_the_same_in_every_new_process():
    code = (
        "from training.data import espeak; import hashlib\n"
        "for u in espeak.speak('fr', ['Bonjour madame.'] * 3, 3):\n"
        "    print(u.speaker, u.phones, hashlib.sha256(u.samples.tobytes()).hexdigest())\n"
    )
    printed = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT).stdout for _ in range(2)
    ]
    assert printed[0] == printed[1]
    assert len(set(printed[0].splitlines())) == 3


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_flite_labels_end_with_its_sound():
    utterance = next(flite.speak("slt", ["Bob may buy a map."]))
    assert utterance.phones[-1][2] == pytest.approx(len(utterance.samples) / 16000, abs=0.03)


def test_the_command_reports_a_missing_data_folder_in_one_sentence(tmp_path):
    command = [sys.executable, "-m", "training.data", "--data", str(tmp_path), "--output", str(tmp_path / "c")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert "--data" in result.stderr
