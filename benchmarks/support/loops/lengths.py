"""Batches of sequences of many lengths: against the same batch padded, and against torch's packed sequences."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from support.loops.layers import KINDS, Kind, build_pair
from support.loops.report import Options, Report
from support.loops.work import MOST_DIFFERENCE, Size, Training, difference
from support.turns import take_turns

SIZE = Size(200, 64, 128, 128)
MOST_EXTRA = 1.15
"""Time with lengths over time padded, divided by the share of valid steps."""
# words of a film review cut at 400, as people train on them: half of all have under 200, one in ten 400 or more
_MEDIAN, _SPREAD, _CUT = 195.0, 0.65, 400


def spread_of_lengths(size: Size) -> Tensor:
    """Return lengths (B,) distributed as those of film reviews, scaled so that the longest is T; in no order."""
    drawn = torch.randn(size.B, generator=torch.Generator().manual_seed(0))
    words = (_MEDIAN * torch.exp(_SPREAD * drawn)).clamp(10, _CUT)
    lengths = (words * size.T / _CUT).round().long()
    # the batch must be as long as its padded form, or the padding would be blamed for nothing
    lengths[int(lengths.argmax())] = size.T
    return lengths


def measure_lengths(report: Report, options: Options) -> None:
    """Both comparisons, for LSTM and GRU."""
    lengths = spread_of_lengths(SIZE)
    share = float(lengths.sum()) / (SIZE.T * SIZE.B)
    print(
        f"{SIZE}, lengths {int(lengths.min())} to {int(lengths.max())}, mean {float(lengths.float().mean()):.0f}: "
        f"{share:.2f} of the steps are valid"
    )
    print(f"{'':<6} padded ms   with lengths ms   (lengths / padded) / share   torch packed ms   torch / ours")
    for name in ("lstm", "gru"):
        _measure_kind(report, options, name, lengths, share)


def _measure_kind(report: Report, options: Options, name: str, lengths: Tensor, share: float) -> None:
    kind: Kind = KINDS[name]
    ours, theirs = build_pair(kind, SIZE, options)
    x = torch.randn(SIZE.T, SIZE.B, SIZE.I)
    works = {
        "padded": Training(lambda x: ours(x)[0], x, ours.parameters()),
        "lengths": Training(lambda x: ours(x, lengths=lengths)[0], x, ours.parameters()),
        "packed": Training(lambda x: _run_packed(theirs, x, lengths), x, theirs.parameters()),
    }
    gap = difference(works["lengths"], works["packed"])
    if not gap <= MOST_DIFFERENCE:
        report.problem(f"{name}: results with lengths differ from torch's by {gap:.1e} of their largest number")
    turns = take_turns(works, options.rounds, most_s=20.0)
    extra = turns.ratio("lengths", "padded") / share
    ratio = turns.ratio("packed", "lengths")
    ms = {key: turns.median_s(key) * 1e3 for key in works}
    report.row(
        f"{name:<6} {ms['padded']:9.2f} {ms['lengths']:17.2f} {extra:28.2f} {ms['packed']:17.2f} {ratio:14.2f}",
        layer=name,
        size=SIZE,
        share=share,
        ms=ms,
        extra=extra,
        ratio=ratio,
    )
    report.judge(f"{name}: time with lengths, over the share of valid steps", extra, at_most=MOST_EXTRA)


def _run_packed(layer: nn.Module, x: Tensor, lengths: Tensor) -> Tensor:
    packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
    return pad_packed_sequence(layer(packed)[0], total_length=x.shape[0])[0]
