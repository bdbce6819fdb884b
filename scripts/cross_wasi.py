"""Runs a test program for wasm32-wasip1 under wasmtime, as `scripts/cross` needs it: cross_wasi.py PROGRAM [NAME]... [--skip NAME]...

WebAssembly has no unwinding: a test that fails ends its process. So each test runs in an instance of its own. The program sees the
current folder and /tmp. A test that starts a thread is counted as ignored: WASI has none.
"""
import os
import sys
import tempfile
import time

from wasmtime import Engine, ExitTrap, Linker, Module, Store, Trap, WasiConfig

engine = Engine()
program = sys.argv[1]
module = Module.from_file(engine, program)
linker = Linker(engine)
linker.define_wasi()


def run(*arguments):
    """The exit code and the output of the program."""
    with tempfile.NamedTemporaryFile() as out:
        wasi = WasiConfig()
        wasi.argv = [program, *arguments]
        wasi.env = [("RUST_BACKTRACE", "0")]
        wasi.stdout_file = wasi.stderr_file = out.name
        wasi.preopen_dir(os.getcwd(), ".")
        wasi.preopen_dir(os.getcwd(), os.getcwd())
        wasi.preopen_dir("/tmp", "/tmp")
        store = Store(engine)
        store.set_wasi(wasi)
        code = 0
        try:
            linker.instantiate(store, module).exports(store)["_start"](store)
        except ExitTrap as end:
            code = end.code
        except Trap:
            code = 134
        with open(out.name, encoding="utf-8", errors="replace") as written:
            return code, written.read()


# How a thread is refused: "Not supported (os error 58)", or the same as Debug.
NO_THREADS = "Not supported"

begun = time.monotonic()
skipped = [sys.argv[place + 1] for place, argument in enumerate(sys.argv) if argument == "--skip"]
wanted = [argument for argument in sys.argv[2:] if argument != "--skip" and argument not in skipped]
code, listed = run("--list", "--format", "terse")
if code != 0:
    sys.exit(f"cannot list the tests of {program}: {listed}")
names = [line.removesuffix(": test") for line in listed.splitlines() if line.endswith(": test")]
passed = ignored = filtered = 0
failed = []
for name in names:
    if any(part in name for part in skipped) or wanted and not any(part in name for part in wanted):
        filtered += 1
        continue
    code, output = run("--exact", name)
    if code == 0 and "1 ignored" in output:
        ignored += 1
    elif code == 0 and "1 passed" in output:
        passed += 1
    else:
        # Captured output is lost with the process.
        _, output = run("--exact", name, "--nocapture")
        if NO_THREADS in output:
            ignored += 1
            print(f"test {name} ... ignored, needs threads", flush=True)
            continue
        failed.append(name)
        print(f"test {name} ... FAILED\n{output[-2000:]}", flush=True)
result = "FAILED" if failed else "ok"
print(f"test result: {result}. {passed} passed; {len(failed)} failed; {ignored} ignored; 0 measured; "
      f"{filtered} filtered out; finished in {time.monotonic() - begun:.2f}s")
sys.exit(101 if failed else 0)
