"""A trained translator, for use."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch

from recurra.data import MAX_PADDED_STEPS, Tokenizer, iter_in_order, iter_lines, pad_ids
from recurra.errors import ArgumentError, ChoiceError, RunError
from recurra.models import Translator
from recurra.tasks.shared.evaluation import Evaluation
from recurra.tasks.shared.loading import load_weights
from recurra.tasks.translate.building import build_model
from recurra.tasks.translate.config import SECTIONS, TranslateConfig
from recurra.tasks.translate.data import open_part, open_tokenizers, reopen_pairs
from recurra.tasks.translate.evaluating import evaluate_part
from recurra.tasks.translate.normalization import prepare
from recurra.tasks.translate.parts import PARTS, TranslateData, encode_sources
from recurra.tasks.translate.pictures import draw_attention
from recurra.tasks.translate.prediction import TranslatePrediction
from recurra.tasks.translate.translating import Search, TokenNames, translate
from recurra.training.config_file import read_config
from recurra.training.protocol import Split
from recurra.training.run_folder import RunFolder

_AT_ONCE = 1024
"""Sentences that are read before any is translated, so that those of a batch are about equally long."""


class TranslateRun:
    """A translator with its tokenisers and what it was trained on.

    Attributes:
        folder: Where it lies.
        config: Configuration of the run.
        src_tokenizer: Cuts sources.
        tgt_tokenizer: Puts translations together.
        model: The model, in evaluation mode, on the CPU.
        step: Optimiser step of the weights.
    """

    def __init__(
        self,
        folder: RunFolder,
        config: TranslateConfig,
        tokenizers: tuple[Tokenizer, Tokenizer],
        model: Translator,
        step: int,
    ) -> None:
        self.folder, self.config, self.model, self.step = folder, config, model, step
        self.src_tokenizer, self.tgt_tokenizer = tokenizers
        self._src_names, self._tgt_names = map(TokenNames, tokenizers)

    def predict(
        self,
        texts: Iterable[str],
        *,
        num_beams: int | None = None,
        length_penalty: float | None = None,
        n_best: int = 1,
        max_length: int | None = None,
        attention: str | Path | None = None,
    ) -> list[TranslatePrediction]:
        """Translate some sentences.

        Args:
            texts: Sentences without line breaks. An empty one has the empty translation.
            num_beams: Translations that are followed at the same time, 1 for greedy search; None means what the run's
                configuration says, or ``n_best`` where that is more.
            length_penalty: How much longer translations are preferred; None means what the configuration says.
            n_best: Translations of each sentence, at most ``num_beams``; there are fewer where no more were found.
            max_length: Tokens of a translation with its end, at most, so that one that is cut has just as many; None
                leaves it to the length of the sentence.
            attention: Folder for pictures of what the model looked at, one for the best translation of each sentence:
                ``attention_00001.png`` and so on.

        Returns:
            A prediction for each sentence, in their order.

        Raises:
            ArgumentError: When an argument is out of its range, a sentence holds a line break, or pictures are asked of
                a model without attention.
        """
        if isinstance(texts, str):
            raise ArgumentError(
                f"predict expected several sentences, got the string {texts[:60]!r}", hint="give [text]"
            )
        search = self._search(num_beams, length_penalty, n_best, max_length)
        return list(self._iter_translated(texts, search, self._pictures(attention)))

    def iter_predictions(self, source: str | Path | IO[bytes], **options: Any) -> Iterator[TranslatePrediction]:
        """Translate the lines of a text file, or of an open binary stream such as standard input, as they are read.

        A line with a tab is a pair as in the training data, of which the source side is translated. An empty line has
        the empty translation, so that lines stay beside each other.

        Args:
            source: File of one sentence a line (UTF-8; .gz and .xz too), or a stream.
            options: As for ``predict``.

        Raises:
            ArgumentError: As ``predict``.
            DataError: When the file cannot be used.
        """
        search = self._search(
            options.pop("num_beams", None),
            options.pop("length_penalty", None),
            options.pop("n_best", 1),
            options.pop("max_length", None),
        )
        pictures = self._pictures(options.pop("attention", None))
        if options:
            raise ArgumentError(
                f"iter_predictions expected num_beams, length_penalty, n_best, max_length or attention, "
                f"got {', '.join(options)}"
            )
        return self._iter_translated(map(self._source_side, iter_lines(source)), search, pictures)

    def evaluate(
        self,
        split: Split = "validation",
        *,
        files: Sequence[str] = (),
        num_beams: int | None = None,
        length_penalty: float | None = None,
        max_length: int | None = None,
    ) -> Evaluation:
        """Say how well the model translates.

        Args:
            split: Part of the run's own data.
            files: Files of pairs, or names of data sets, to evaluate on instead.
            num_beams: As for ``predict``.
            length_penalty: As for ``predict``.
            max_length: As for ``predict``.

        Returns:
            BLEU and chrF in percent, ``loss`` (nats a target token) and ``perplexity`` (a target token), over all
            pairs. The notes hold sacrebleu's signatures and what was left out of the pairs.

        Raises:
            ArgumentError: When an argument is out of its range.
            ChoiceError: When ``split`` is none of the three.
            DataError: When the data are gone or have changed.
            RunError: When the run has no such part.
        """
        search = self._search(num_beams, length_penalty, 1, max_length)
        if split not in PARTS:
            raise ChoiceError("split", split, PARTS)
        if files:
            part, notes = open_part(files, self.config.data, self._tokenizers)
            what = ", ".join(map(str, files))
        else:
            data = self.data()
            part, notes, what = data.parts[split], data.notes[split], f"{split} part"
            if not len(part):
                raise RunError(f"the run has no {split} part")
        return evaluate_part(
            self.model,
            part,
            what,
            self.tgt_tokenizer,
            search,
            batch_size=self.config.data.batch_size,
            lowercase=self.config.data.is_lowercase,
            data_notes=notes,
        )

    def data(self) -> TranslateData:
        """Return the data that the run was trained on.

        Raises:
            DataError: When the data are gone or have changed.
        """
        return reopen_pairs(self.folder, self.config.data)

    # ------------------------------------------------------------------ within

    @property
    def _tokenizers(self) -> tuple[Tokenizer, Tokenizer]:
        return self.src_tokenizer, self.tgt_tokenizer

    def _search(
        self, num_beams: int | None, length_penalty: float | None, n_best: int, max_length: int | None
    ) -> Search:
        config = self.config.decoding
        assert config.max_length_ratio is not None
        return Search(
            max(config.num_beams, n_best) if num_beams is None else num_beams,
            config.length_penalty if length_penalty is None else length_penalty,
            config.max_length_ratio,
            n_best,
            max_length,
        )

    def _pictures(self, folder: str | Path | None) -> Path | None:
        if folder is None:
            return None
        if self.model.attention is None:
            raise ArgumentError(
                "predict expected no attention folder for a model without attention, got one",
                hint="train with attention = additive",
            )
        made = Path(folder).expanduser()
        made.mkdir(parents=True, exist_ok=True)
        return made

    def _source_side(self, line: str) -> str:
        first, tab, rest = line.partition("\t")
        return rest.partition("\t")[0] if tab and self.config.data.swap else first

    def _iter_translated(
        self, texts: Iterable[str], search: Search, pictures: Path | None
    ) -> Iterator[TranslatePrediction]:
        count, remaining = 0, iter(texts)
        while chunk := list(islice(remaining, _AT_ONCE)):
            for prediction in self._translated(chunk, search, with_attention=pictures is not None):
                count += 1
                if pictures is not None and prediction.attention is not None:
                    tokens = prediction.src_tokens, [*prediction.tokens, "<eos>"][: len(prediction.attention)]
                    draw_attention(prediction.attention, *tokens, pictures / f"attention_{count:05}.png")
                yield prediction

    def _translated(self, texts: Sequence[str], search: Search, *, with_attention: bool) -> list[TranslatePrediction]:
        plain = prepare(texts, self.config.data)
        ids = encode_sources(plain, self.src_tokenizer, self.config.data)
        is_list = search.n_best > 1
        predictions = [TranslatePrediction.of_nothing(text, is_list=is_list) for text in texts]
        filled = np.array([row for row, text in enumerate(plain) if text], np.int64)
        if not len(filled):
            return predictions
        lengths = np.array([len(ids[row]) for row in filled])
        size = self.config.data.batch_size
        for places, _ in iter_in_order(lengths, batch_size=size, max_steps=MAX_PADDED_STEPS):
            rows = filled[places].tolist()
            src, src_lengths = pad_ids([ids[row] for row in rows])
            found = translate(self.model, src, src_lengths, self.tgt_tokenizer, search, attention=with_attention)
            for row, translations in zip(rows, found, strict=True):
                tokens = self._src_names.of(ids[row].tolist()), self._tgt_names.of(translations[0].ids)
                predictions[row] = TranslatePrediction(texts[row], tuple(translations), *tokens, is_list)
        return predictions


def open_run(run: str | Path, *, checkpoint: str | int = "best") -> TranslateRun:
    """Load a run of the translate task; see ``recurra.load``."""
    folder = RunFolder.open(run)
    config = TranslateConfig(**read_config(folder.config, SECTIONS))
    tokenizers = open_tokenizers(folder)
    loaded = folder.checkpoints.load(str(checkpoint), weights_only=True)
    with torch.random.fork_rng(devices=[]):
        model = build_model(config.model, tokenizers)
    load_weights(model, loaded.weights, loaded.path)
    return TranslateRun(folder, config, tokenizers, model.eval(), loaded.step)
