#!/usr/bin/env python3
"""Trains the network of the example `fashion_mnist` with axonal and with PyTorch, and prints both times.

    cargo build --release --features gzip --example fashion_mnist
    python benches/compare_convolution.py FOLDER [--threads N] [--epochs N]

FOLDER contains the four gzipped files of Fashion-MNIST. Needs numpy and PyTorch. Both train on the same images in
batches of 64, each in a separate process on the same processors (Linux: `taskset`).
"""
import argparse, gzip, resource, sys, time
from pathlib import Path
import peers


def torch_epochs(folder, threads, epochs):
    import numpy as np, torch
    from torch import nn
    torch.set_num_threads(threads)
    torch.manual_seed(7)

    def read(part):
        images = gzip.open(Path(folder, f"{part}-images-idx3-ubyte.gz")).read()
        labels = gzip.open(Path(folder, f"{part}-labels-idx1-ubyte.gz")).read()
        x = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 1, 28, 28).astype(np.float32)
        return torch.from_numpy(x), torch.from_numpy(np.frombuffer(labels, np.uint8, offset=8).astype(np.int64))

    (x, y), (x_test, y_test) = read("train"), read("t10k")
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True), nn.Flatten(), nn.Dropout(0.25), nn.Linear(64 * 7 * 7, 10))
    rule, loss = torch.optim.Adam(network.parameters(), eps=1e-7), nn.CrossEntropyLoss()
    begun = time.perf_counter()
    for _ in range(epochs):
        order = torch.randperm(len(x))
        for start in range(0, len(x), 64):
            rows = order[start:start + 64]
            rule.zero_grad()
            loss(network(x[rows] / 255), y[rows]).backward()
            rule.step()
    seconds = (time.perf_counter() - begun) / epochs
    network.eval()
    with torch.no_grad():
        right = sum((network(x_test[i:i + 500] / 255).argmax(1) == y_test[i:i + 500]).sum().item()
                    for i in range(0, len(x_test), 500))
    print(f"{seconds:.2f} s an epoch\ntest accuracy {right / len(x_test):.4f}")


def run(name, command, threads):
    done = peers.run(command, threads)
    if done.returncode:
        print(f"{name}: skipped ({(done.stderr.strip().splitlines() or ['no reason given'])[-1]})")
        return
    lines = [line for line in done.stdout.splitlines() if line.endswith("s an epoch") or "test accuracy" in line]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{name:>7}, {threads} thread(s): {', '.join(lines)}, at most {peak:.0f} MB", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--peer", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.peer:
        return torch_epochs(given.folder, given.threads, given.epochs)
    # Only the peak memory over all child processes so far is known, so the smaller process runs first.
    run("axonal", ["target/release/examples/fashion_mnist", given.folder, str(given.epochs)], given.threads)
    peer = [sys.executable, __file__, given.folder, "--peer", "--epochs", str(given.epochs)]
    run("PyTorch", peer + ["--threads", str(given.threads)], given.threads)


if __name__ == "__main__":
    main()
