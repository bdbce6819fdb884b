"""Compares k-means with scikit-learn and, if installed, faiss: the same rows, initial centers and iterations.

Needs scikit-learn; builds the bench unless BENCH names its program:

    python benches/compare_kmeans.py [BENCH] [--threads 1 2] [--only 100000x64x100] [--relatives] [--json FILE]

With --relatives it compares MiniBatchKMeans (the same initial centers and number of batches), BisectingKMeans, the
silhouette score of at most 10,000 rows, and the inertia for 2 to 9 clusters of at most 100,000 rows instead.

Every measurement runs in a separate process, bound to as many processors as it has threads. The three alternate, so
that a busy moment of the machine affects all of them. The shortest times and the ratios peer / axonal are printed.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import peers

SIZES = ["150x4x3", "1797x64x10", "500000x3x20", "100000x16x100", "1000000x16x10", "1000000x16x64", "100000x64x100",
         "100000x128x256", "60000x784x10", "20000x784x10", "20000x128x1000"]


def rows(size):
    """Overlapping blobs with 10 % uniform noise; for 1797 x 64 scikit-learn's digits."""
    import numpy as np
    n, d, k = map(int, size.split("x"))
    if (n, d) == (1797, 64):
        from sklearn.datasets import load_digits
        return np.ascontiguousarray(load_digits().data, np.float32)
    random = np.random.Generator(np.random.PCG64(11))
    centers = random.normal(0, 3, (k, d)).astype(np.float32)
    x = centers[random.integers(0, k, n)] + random.normal(0, 1.5, (n, d)).astype(np.float32)
    x[random.permutation(n)[: n // 10]] = random.uniform(-8, 8, (n // 10, d)).astype(np.float32)
    return np.ascontiguousarray(x, np.float32)


def shortest(runs, work):
    best = float("inf")
    for _ in range(runs):
        begun = time.perf_counter()
        result = work()
        best = min(best, time.perf_counter() - begun)
    return best, result


def peer(name, path, size, threads):
    """The times of a peer; printed by this program with `--peer`."""
    import numpy as np
    n, d, k = map(int, size.split("x"))
    x = np.fromfile(path, np.float32).reshape(n, d)
    runs = 30 if n < 10_000 else 3
    if name == "faiss":
        import faiss
        faiss.omp_set_num_threads(threads)
        model = faiss.Kmeans(d, k, niter=20, max_points_per_centroid=n, min_points_per_centroid=1)
        fit, _ = shortest(runs, lambda: model.train(x, init_centroids=x[:k].copy()))
        # faiss stops when the objective no longer changes.
        return {"fit": fit / len(model.iteration_stats), "predict": shortest(runs, lambda: model.index.search(x, 1))[0]}
    from sklearn.cluster import KMeans, kmeans_plusplus
    model = KMeans(k, init=x[:k].copy(), n_init=1, max_iter=20, tol=0)
    fit, _ = shortest(runs, lambda: model.fit(x))
    return {"fit": fit / model.n_iter_, "n_iter": int(model.n_iter_), "inertia": float(model.inertia_),
            "k-means++": shortest(1, lambda: kmeans_plusplus(x, k, random_state=0))[0],
            "predict": shortest(runs, lambda: model.predict(x))[0]}


def relatives(path, size):
    """The times of scikit-learn's algorithms beside k-means, by the names of the bench's `--relatives`."""
    import numpy as np
    from sklearn.cluster import BisectingKMeans, KMeans, MiniBatchKMeans
    from sklearn.metrics import silhouette_score
    n, d, k = map(int, size.split("x"))
    x = np.fromfile(path, np.float32).reshape(n, d)
    runs = 5 if n < 10_000 else 1
    mini_batch = MiniBatchKMeans(k, init=x[:k].copy(), n_init=1, max_iter=-(-100 * 1024 // n), max_no_improvement=None)
    mini_batch_s, _ = shortest(runs, lambda: mini_batch.fit(x))
    bisecting = BisectingKMeans(k, random_state=0)
    bisecting_s, _ = shortest(runs, lambda: bisecting.fit(x))
    scored, bent = x[:10_000], x[:100_000]
    labels = KMeans(k, max_iter=20, n_init=1, random_state=0).fit_predict(scored)
    silhouette_s, silhouette = shortest(runs, lambda: silhouette_score(scored, labels))

    def elbow():
        return [KMeans(k, n_init=1, max_iter=20, tol=0, random_state=0).fit(bent).inertia_ for k in range(2, 10)]
    return {"mini_batch_s": mini_batch_s, "mini_batch_inertia": float(mini_batch.inertia_), "bisecting_s": bisecting_s,
            "bisecting_inertia": float(bisecting.inertia_), "silhouette_s": silhouette_s,
            "silhouette": float(silhouette), "elbow_s": shortest(runs, elbow)[0]}


def run(command, threads):
    done = peers.run(command, threads)
    return json.loads(done.stdout) if done.returncode == 0 else None


def compare(bench, path, size, threads):
    n, d, k = size.split("x")
    own = run([bench, "--rows", path, n, d, k], threads)
    if own is None:
        sys.exit(f"{bench} failed")
    ours = {"fit": own["lloyd_s"] / own["n_iter"], "k-means++": own["kmeans_plusplus_s"], "predict": own["predict_s"]}
    print(f"{size:>16} {threads} thread(s): {1e3 * own['lloyd_s']:.2f} ms for {own['n_iter']} iterations, "
          f"{own['gflops']:.0f} GFLOP/s, one row {1e9 * own['predict_one_row_s']:.0f} ns, "
          f"{own['bytes_beyond_x'] / int(n):.0f} bytes a row beyond x")
    row = {"size": size, "threads": threads, "fit_s": own["lloyd_s"], "axonal": ours, "peers": {}}
    for name in ("sklearn", "faiss"):
        theirs = run([sys.executable, __file__, bench, "--peer", name, path, size, str(threads)], threads)
        if theirs is None:
            continue
        row["peers"][name] = theirs
        ratios = [f"{what} {theirs[what] / seconds:.2f}" for what, seconds in ours.items() if what in theirs]
        note = ""
        if theirs.get("n_iter", own["n_iter"]) != own["n_iter"]:
            note = f" (per iteration: n_iter {theirs['n_iter']} there)"
        print(f"{'':16} {name} / axonal: " + ", ".join(ratios) + note, flush=True)
    return row


def compare_relatives(bench, path, size, threads):
    n, d, k = size.split("x")
    own = run([bench, "--relatives", path, n, d, k], threads)
    theirs = run([sys.executable, __file__, bench, "--peer", "relatives", path, size, str(threads)], threads)
    if own is None or theirs is None:
        sys.exit(f"{bench if own is None else 'scikit-learn'} failed")
    print(f"{size:>16} {threads} thread(s), ms and sklearn / axonal: " + ", ".join(
        f"{name[:-2]} {1e3 * own[name]:.2f} {theirs[name] / own[name]:.2f}" for name in own if name.endswith("_s")))
    print(f"{'':16} axonal / sklearn: " + ", ".join(
        f"{name} {own[name] / theirs[name]:.3f}" for name in own if not name.endswith("_s")), flush=True)
    return {"size": size, "threads": threads, "axonal": own, "peers": {"sklearn": theirs}}


def built_bench():
    """The bench's program, built now."""
    command = [*peers.bench("kmeans")[:-1], "--no-run", "--message-format=json"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    programs = [json.loads(line).get("executable") for line in lines if line.startswith("{")]
    return next(program for program in reversed(programs) if program)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", nargs="?", help="the built bench; built now if it is left out")
    parser.add_argument("--json", metavar="FILE", help="write the figures to this file, too; rows of other sizes stay")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--only", nargs="+", default=SIZES, metavar="NxDxK")
    parser.add_argument("--relatives", action="store_true", help="compare the algorithms beside k-means")
    parser.add_argument("--peer", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peer:
        name, path, size, threads = arguments.peer
        print(json.dumps(relatives(path, size) if name == "relatives" else peer(name, path, size, int(threads))))
        return
    bench, measured = str(Path(arguments.bench or built_bench()).resolve()), []
    with tempfile.TemporaryDirectory() as folder:
        for size in arguments.only:
            path = str(Path(folder, size))
            rows(size).tofile(path)
            for threads in arguments.threads:
                work = compare_relatives if arguments.relatives else compare
                measured.append(work(bench, path, size, threads))
    if arguments.json:
        name = "compare_kmeans_relatives" if arguments.relatives else "compare_kmeans"
        peers.write(arguments.json, name, SIZES, measured, key="size")


if __name__ == "__main__":
    main()
