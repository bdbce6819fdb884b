"""Reads the event files that the callback TensorBoard wrote with TensorBoard's own reader, and compares them with the history.

Run with tensorboard 2.21: AXONAL_TENSORBOARD_PYTHON=python3 cargo test --features full --test network tensor_board
The test calls this program: check.py LOG_DIR HISTORY.json
"""

import json
import pathlib
import sys

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.compat.proto import summary_pb2
from tensorboard.util import tensor_util

log_dir, history = pathlib.Path(sys.argv[1]), json.loads(pathlib.Path(sys.argv[2]).read_text())


def load(part):
    events = EventAccumulator(str(log_dir / part), size_guidance={"tensors": 0})
    events.Reload()
    return events


def series(events, tag):
    found = [(event.step, tensor_util.make_ndarray(event.tensor_proto)) for event in events.Tensors(tag)]
    return [step for step, _ in found], [value for _, value in found]


def plugin(events, tag):
    return events.SummaryMetadata(tag).plugin_data.plugin_name


for part, prefix in [("train", ""), ("validation", "val_")]:
    events = load(part)
    for name in history["names"]:
        if name.startswith("val_") != bool(prefix):
            continue
        tag = "epoch_" + name.removeprefix("val_")
        steps, values = series(events, tag)
        assert plugin(events, tag) == "scalars", tag
        assert events.SummaryMetadata(tag).data_class == summary_pb2.DATA_CLASS_SCALAR
        assert steps == list(range(len(values))), (tag, steps)
        np.testing.assert_array_equal(np.array(values, "f4"), np.array(history["values"][name], "f4"), tag)

train = load("train")
steps, values = series(train, "batch_loss")
assert len(values) == history["batches"] and steps == sorted(steps) and steps[0] == 1, steps
assert series(train, "notes")[1][0].item().decode() == "A **bold** note."
assert plugin(train, "notes") == plugin(train, "model") == "text"
assert "0.dense" in series(train, "model")[1][0].item().decode()
for name, size in history["weights"].items():
    tag = f"{name}/histogram"
    steps, values = series(train, tag)
    assert plugin(train, tag) == "histograms", tag
    for histogram in values:
        assert histogram.shape[1] == 3 and histogram[:, 2].sum() == size, (tag, histogram)
        assert (histogram[:, 0] <= histogram[:, 1]).all()
print("TensorBoard's reader found what the run wrote")
