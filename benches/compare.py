#!/usr/bin/env python3
"""Runs the training bench beside its peers and prints the ratios.

    python benches/compare.py [--threads N] [--quick]

Needs a Python with numpy; JAX (with optax) and PyTorch take part where they are installed, and are said to be
skipped where not. Every peer trains the same network on data of the same shape with the same batches, in a process
of its own, on the same processors (Linux: `taskset`); the figure is the median of five epochs after one to warm up.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time

WORKS = {
    "B1": ([784, 128, 10], 32, 60_000, "adam"),
    "B2": ([784, 512, 512, 10], 128, 60_000, "adam"),
    "B3": ([20, 64, 32, 1], 32, 10_000, "adam"),
    "B4": ([784, 128, 10], 1, 5_000, "sgd"),
}


def data(sizes, rows):
    import numpy as np
    x = np.random.default_rng(7).random((rows, sizes[0]), dtype=np.float32)
    return x, (np.arange(rows) % max(sizes[-1], 2)).astype(np.int32)


def epochs(one):
    one()
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        one()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)


def jax_epoch(sizes, batch, rows, optimizer):
    """A whole epoch compiled as one program; the last partial batch is left out."""
    import jax, jax.numpy as jnp, optax
    x, y = data(sizes, rows)
    x, y = jnp.asarray(x), jnp.asarray(y)
    keys = jax.random.split(jax.random.key(0), len(sizes))
    glorot = jax.nn.initializers.glorot_uniform()
    params = [(glorot(k, (i, o)), jnp.zeros(o)) for k, i, o in zip(keys, sizes, sizes[1:])]
    rule = optax.adam(1e-3) if optimizer == "adam" else optax.sgd(0.01)

    def loss(params, x, y):
        for kernel, bias in params[:-1]:
            x = jax.nn.relu(x @ kernel + bias)
        logits = x @ params[-1][0] + params[-1][1]
        if sizes[-1] == 1:
            return optax.sigmoid_binary_cross_entropy(logits[:, 0], y.astype(jnp.float32)).mean()
        return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()

    @jax.jit
    def epoch(params, state, key):
        order = jax.random.permutation(key, rows)[: rows // batch * batch].reshape(-1, batch)

        def step(carry, rows_of_batch):
            params, state = carry
            value, grads = jax.value_and_grad(loss)(params, x[rows_of_batch], y[rows_of_batch])
            updates, state = rule.update(grads, state, params)
            return (optax.apply_updates(params, updates), state), value

        return jax.lax.scan(step, (params, state), order)

    carry = [params, rule.init(params)]

    def one():
        (carry[0], carry[1]), values = epoch(*carry, jax.random.key(1))
        jax.block_until_ready(values)

    return epochs(one)


def torch_epoch(sizes, batch, rows, optimizer):
    import torch
    torch.set_num_threads(int(os.environ["COMPARE_THREADS"]))
    x, y = (torch.from_numpy(values) for values in data(sizes, rows))
    layers = []
    for i, o in zip(sizes, sizes[1:]):
        layers += [torch.nn.Linear(i, o), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    rule = torch.optim.Adam(network.parameters()) if optimizer == "adam" else torch.optim.SGD(network.parameters(), 0.01)
    loss = torch.nn.BCEWithLogitsLoss() if sizes[-1] == 1 else torch.nn.CrossEntropyLoss()
    y = y.float()[:, None] if sizes[-1] == 1 else y.long()

    def one():
        order = torch.randperm(rows)
        for start in range(0, rows, batch):
            picked = order[start:start + batch]
            rule.zero_grad()
            loss(network(x[picked]), y[picked]).backward()
            rule.step()

    return epochs(one)


PEERS = {"jax": jax_epoch, "torch": torch_epoch}


def run(command, threads):
    environment = dict(os.environ, COMPARE_THREADS=str(threads), RAYON_NUM_THREADS=str(threads),
                       OMP_NUM_THREADS=str(threads), JAX_PLATFORMS="cpu")
    if threads == 1:
        environment["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    pinned = ["taskset", "-c", ",".join(map(str, range(threads)))] if sys.platform == "linux" else []
    return subprocess.run(pinned + command, env=environment, capture_output=True, text=True)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--threads", type=int, default=1)
    arguments.add_argument("--quick", action="store_true", help="a tenth of the rows")
    arguments.add_argument("--peer", nargs=2, help=argparse.SUPPRESS)
    given = arguments.parse_args()
    share = 10 if given.quick else 1
    if given.peer:
        sizes, batch, rows, optimizer = WORKS[given.peer[1]]
        print(PEERS[given.peer[0]](sizes, batch, rows // share, optimizer))
        return
    subprocess.run(["cargo", "build", "--quiet", "--release", "--bench", "training"], check=True)
    quick = ["--quick"] if given.quick else []
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        bench = ["cargo", "bench", "--quiet", "--bench", "training", "--", "--json", file.name] + quick
        done = run(bench, given.threads)
        if done.returncode:
            sys.exit(done.stderr)
        ours = {row["name"].split()[0]: row["samples_per_second"] for row in json.load(open(file.name))}
    print(f"{given.threads} thread(s), samples a second\n{'work':<6}{'axonal':>12}")
    for work, (_, _, rows, _) in WORKS.items():
        line = f"{work:<6}{ours[work]:>12,.0f}"
        for peer in PEERS:
            done = run([sys.executable, __file__, "--peer", peer, work] + quick, given.threads)
            if done.returncode:
                reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
                line += f"   {peer}: skipped ({reason[0]})"
            else:
                theirs = rows / share / float(done.stdout.split()[-1])
                line += f"   {peer}: {theirs:,.0f} ({ours[work] / theirs:.2f}x)"
        print(line, flush=True)


if __name__ == "__main__":
    main()
