#!/usr/bin/env python3
"""Measures the weak scaling of PyTorch's DistributedDataParallel (gloo) beside independent processes.

    python benches/compare_distributed.py [--ranks N] [--quick] [--json FILE]

It needs torch and numpy. Each rank trains the network of B2 (784-512-512-10, Adam, batch 128) on its own 6,000 rows, alone
and in the group in alternation; the slowest rank counts, and of seven runs the median. Each rank is bound to one
processor and uses one thread. `scripts/distributed --measure` measures the same work with axonal.
"""
import argparse, json, os, socket, statistics, time

SIZES, BATCH, ROWS, RUNS = [784, 512, 512, 10], 128, 6_000, 7


def work(rank, ranks, port, runs, queue):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), OMP_NUM_THREADS="1", MKL_NUM_THREADS="1")
    if hasattr(os, "sched_setaffinity"):
        processors = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {processors[rank % len(processors)]})
    import numpy as np, torch, torch.distributed as dist
    torch.set_num_threads(1)
    dist.init_process_group("gloo", rank=rank, world_size=ranks)
    random = np.random.default_rng(rank)
    x = torch.from_numpy(random.random((ROWS, SIZES[0]), dtype=np.float32))
    y = torch.from_numpy(random.integers(0, SIZES[-1], ROWS))

    def trainer(distributed):
        torch.manual_seed(1)
        layers = []
        for inputs, outputs in zip(SIZES, SIZES[1:]):
            layers += [torch.nn.Linear(inputs, outputs), torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers[:-1])
        model = torch.nn.parallel.DistributedDataParallel(model) if distributed else model
        optimizer, loss = torch.optim.Adam(model.parameters()), torch.nn.CrossEntropyLoss()

        def epoch():
            order = torch.randperm(ROWS)
            for first in range(0, ROWS, BATCH):
                rows = order[first:first + BATCH]
                optimizer.zero_grad(set_to_none=True)
                loss(model(x[rows]), y[rows]).backward()
                optimizer.step()

        return epoch

    epochs = [trainer(False), trainer(True)]
    for epoch in epochs:
        epoch()
    times = [[], []]
    for _ in range(runs):
        for epoch, seconds in zip(epochs, times):
            dist.barrier()
            begun = time.perf_counter()
            epoch()
            slowest = torch.tensor([time.perf_counter() - begun], dtype=torch.float64)
            dist.all_reduce(slowest, op=dist.ReduceOp.MAX)
            seconds.append(slowest.item())
    if rank == 0:
        queue.put(([statistics.median(seconds) for seconds in times], torch.__version__))
    dist.barrier()
    dist.destroy_process_group()


def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--ranks", type=int, default=2)
    arguments.add_argument("--quick", action="store_true", help="three runs")
    arguments.add_argument("--json", help="write the figures to this file")
    options = arguments.parse_args()
    try:
        import torch.multiprocessing as processes
    except ImportError:
        print("SKIPPED: no torch; pip install torch numpy")
        return
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = processes.get_context("spawn")
    queue = context.SimpleQueue()
    runs = 3 if options.quick else RUNS
    arguments = (options.ranks, port, runs, queue)
    processes.spawn(work, args=arguments, nprocs=options.ranks)
    (alone, together), version = queue.get()
    samples = options.ranks * ROWS
    print(f"PyTorch {version}, gloo, {options.ranks} processes of one thread, 784-512-512-10, batch {BATCH} a rank")
    print("| | s an epoch | samples/s, all ranks | efficiency |\n|---|---|---|---|")
    print(f"| independent processes | {alone:.3f} | {samples / alone:.0f} | |")
    print(f"| DistributedDataParallel | {together:.3f} | {samples / together:.0f} | {100 * alone / together:.0f} % |")
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"torch": version, "ranks": options.ranks, "alone_s": alone, "together_s": together}, file)


if __name__ == "__main__":
    main()
