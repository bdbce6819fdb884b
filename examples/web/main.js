// Connects the page with axonal.wasm. All computation is in the program; this file passes numbers to it and draws the results.

const EPOCHS = 30;
const SVG = "http://www.w3.org/2000/svg";
// The colors of the crate's own pictures: they differ in hue and in lightness.
const COLORS = ["#1f77b4", "#e6740c", "#2a9d4a", "#c93535", "#8456b0", "#8c5a4b", "#d664b4", "#6b6b6b", "#a8a616", "#17a5bd"];
const element = (id) => document.getElementById(id);

/** The exported functions of the program, once it is loaded. */
let program;

async function load() {
  const start = performance.now();
  const response = await fetch("axonal.wasm");
  if (!response.ok) throw new Error(`axonal.wasm: ${response.status} ${response.statusText}; build it with scripts/web`);
  const bytes = await response.arrayBuffer();
  // The program imports nothing.
  const { instance } = await WebAssembly.instantiate(bytes, {});
  program = instance.exports;
  checked(program.reset_network());
  const milliseconds = Math.round(performance.now() - start);
  element("status").textContent = `Program of ${Math.round(bytes.byteLength / 1024)} KiB, ready in ${milliseconds} ms.`;
}

/** The result of an exported function, or the error behind a negative one. */
function checked(result) {
  if (result >= 0) return result;
  const text = new Uint8Array(program.memory.buffer, program.message(), program.message_length());
  throw new Error(new TextDecoder().decode(text));
}

/** A view of an array in the program's memory, valid until the next call. */
const view = (Type, address, length) => new Type(program.memory.buffer, address, length);

function fail(error) {
  element("status").textContent = String(error.message ?? error);
  element("status").classList.add("error");
  throw error;
}

// ---- Training ----

const history = [];
/** The number of the run that trains, 0 if none does; a new run ends the one before. */
let running = 0;
let runs = 0;
let seconds = 0;

const nextFrame = () => new Promise((resolve) => requestAnimationFrame(resolve));

/** Trains one epoch per frame, so that the page stays responsive. */
async function train() {
  const run = running = ++runs;
  showTraining();
  for (let epoch = 0; epoch < EPOCHS && running === run; epoch++) {
    const start = performance.now();
    checked(program.train_epoch());
    seconds += (performance.now() - start) / 1000;
    history.push({
      loss: program.loss(),
      accuracy: program.accuracy(),
      testLoss: program.test_loss(),
      testAccuracy: program.test_accuracy(),
    });
    showTraining();
    recognize();
    await nextFrame();
  }
  if (running === run) running = 0;
  showTraining();
}

function reset() {
  running = 0;
  history.length = 0;
  seconds = 0;
  checked(program.reset_network());
  showTraining();
  recognize();
}

function showTraining() {
  const last = history.at(-1);
  const more = history.length > 0 ? "more " : "";
  element("train").textContent = running ? "Pause" : `Train ${EPOCHS} ${more}epochs`;
  element("epoch").textContent = last
    ? `epoch ${history.length}, ${((1000 * seconds) / history.length).toFixed(0)} ms each`
    : "not trained";
  const percent = (share) => `${(100 * share).toFixed(1)} %`;
  element("accuracy-value").textContent = last ? `${percent(last.accuracy)} training, ${percent(last.testAccuracy)} test` : "";
  element("loss-value").textContent = last ? `${last.loss.toFixed(3)} training, ${last.testLoss.toFixed(3)} test` : "";
  drawChart("accuracy-chart", ["accuracy", "testAccuracy"], 1);
  const losses = history.flatMap((scores) => [scores.loss, scores.testLoss]);
  const highest = losses.length > 0 ? Math.max(...losses) : 1;
  drawChart("loss-chart", ["loss", "testLoss"], highest);
}

function svg(name, attributes, text = "") {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.textContent = text;
  return node;
}

/** Draws two curves over the epochs, from 0 to `highest`. */
function drawChart(id, [train, test], highest) {
  const [left, right, top, bottom] = [34, 392, 8, 110];
  const epochs = Math.max(history.length, EPOCHS);
  const x = (epoch) => left + ((right - left) * (epoch - 1)) / (epochs - 1);
  const y = (value) => bottom - ((bottom - top) * value) / highest;
  const nodes = [];
  for (const share of [0, 0.5, 1]) {
    const value = share * highest;
    nodes.push(svg("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }));
    nodes.push(svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, value.toFixed(highest < 1 ? 2 : 1)));
  }
  for (const epoch of [1, Math.round(epochs / 2), epochs]) {
    nodes.push(svg("text", { x: x(epoch), y: 126, "text-anchor": epoch === epochs ? "end" : "middle" }, epoch));
  }
  for (const [key, name] of [[train, "train"], [test, "test"]]) {
    const points = history.map((scores, index) => `${x(index + 1).toFixed(1)},${y(scores[key]).toFixed(1)}`);
    nodes.push(svg("polyline", { class: name, points: points.join(" ") }));
  }
  element(id).replaceChildren(...nodes);
}

// ---- Drawing and recognition ----

const paper = element("paper");
const ink = paper.getContext("2d");
let lastPoint = null;
let drawn = false;

/** The place of a pointer in the pixels of a canvas. */
function place(canvas, event) {
  const bounds = canvas.getBoundingClientRect();
  return [
    ((event.clientX - bounds.left) * canvas.width) / bounds.width,
    ((event.clientY - bounds.top) * canvas.height) / bounds.height,
  ];
}

function drawLine([fromX, fromY], [x, y]) {
  ink.lineWidth = 34;
  ink.lineCap = ink.lineJoin = "round";
  ink.strokeStyle = "#24292f";
  ink.beginPath();
  ink.moveTo(fromX, fromY);
  ink.lineTo(x, y);
  ink.stroke();
}

paper.addEventListener("pointerdown", (event) => {
  if (!program || event.button !== 0) return;
  paper.setPointerCapture(event.pointerId);
  lastPoint = place(paper, event);
  drawn = true;
  program.begin_stroke(...lastPoint);
  drawLine(lastPoint, lastPoint);
  recognize();
});

paper.addEventListener("pointermove", (event) => {
  if (!lastPoint) return;
  for (const step of event.getCoalescedEvents?.() ?? [event]) {
    const point = place(paper, step);
    program.continue_stroke(...point);
    drawLine(lastPoint, point);
    lastPoint = point;
  }
  recognize();
});

for (const end of ["pointerup", "pointercancel"]) {
  paper.addEventListener(end, () => { lastPoint = null; });
}

function clearDrawing() {
  ink.clearRect(0, 0, paper.width, paper.height);
  drawn = false;
  program?.clear_drawing();
  recognize();
}

/** Shows the image that the network receives, and its answer. */
function recognize() {
  if (!program) return;
  const pixels = view(Float32Array, program.image(), 64);
  const image = new ImageData(8, 8);
  pixels.forEach((pixel, index) => image.data.set([36, 41, 47, (255 * pixel) / 16], 4 * index));
  element("seen").getContext("2d").putImageData(image, 0, 0);

  const known = drawn && history.length > 0;
  const best = known ? checked(program.recognize()) : -1;
  const probabilities = known ? view(Float32Array, program.probabilities(), 10) : new Float32Array(10);
  element("answer").textContent = known ? best : "–";
  element("certainty").textContent = known
    ? `${(100 * probabilities[best]).toFixed(1)} % probable`
    : drawn ? "train the network first" : "nothing drawn";
  bars.forEach(({ row, bar, share }, digit) => {
    row.classList.toggle("best", digit === best);
    bar.style.width = `${100 * probabilities[digit]}%`;
    share.textContent = known ? `${(100 * probabilities[digit]).toFixed(1)} %` : "";
  });
}

const bars = Array.from({ length: 10 }, (_, digit) => {
  const [row, name, track, bar, share] = ["li", "span", "span", "span", "span"].map((tag) => document.createElement(tag));
  name.textContent = digit;
  [track.className, bar.className, share.className] = ["track", "bar", "share"];
  track.append(bar);
  row.append(name, track, share);
  element("bars").append(row);
  return { row, bar, share };
});

// ---- Clusters ----

const plane = element("plane");
const MAP_SIDE = 220;
const points = [];

function addPoint(x, y) {
  points.push([x, y]);
  program.add_point(x, y);
}

plane.addEventListener("pointerdown", (event) => {
  if (!program || event.button !== 0) return;
  const [x, y] = place(plane, event);
  addPoint(x / plane.width, y / plane.height);
  cluster();
});

/** Adds points around as many random centers as there are clusters. */
function addGroups() {
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  const inside = (value) => Math.min(Math.max(value, 0.01), 0.99);
  for (let group = 0; group < element("k").valueAsNumber; group++) {
    const [x, y] = [0.12 + 0.76 * Math.random(), 0.12 + 0.76 * Math.random()];
    for (let point = 0; point < 40; point++) addPoint(inside(x + 0.045 * normal()), inside(y + 0.045 * normal()));
  }
  cluster();
}

function clearPoints() {
  points.length = 0;
  program?.clear_points();
  cluster();
}

/** Fits k-means to the points, and draws them with the cluster of each pixel. */
function cluster() {
  if (!program) return;
  const k = element("k").valueAsNumber;
  element("k-value").textContent = k;
  element("n-points").textContent = points.length;
  const enough = points.length >= k;
  const start = performance.now();
  const iterations = enough ? checked(program.fit_clusters(k)) : 0;
  const milliseconds = performance.now() - start;
  element("n-iterations").textContent = enough ? iterations : "–";
  element("inertia").textContent = enough ? program.inertia().toFixed(4) : "–";
  element("fit-time").textContent = enough ? `${milliseconds.toFixed(1)} ms` : "–";
  showCenters(enough ? k : 0);
  const missing = k - points.length;
  element("clusters-message").textContent = enough ? "" : `${missing} more ${missing === 1 ? "point" : "points"} for ${k} clusters.`;
  drawPlane(enough ? k : 0);
}

function showCenters(k) {
  const centers = k > 0 ? view(Float32Array, program.centers(), 2 * k) : [];
  const labels = k > 0 ? view(Uint32Array, program.labels(), points.length) : [];
  const items = Array.from({ length: k }, (_, cluster) => {
    const item = document.createElement("li");
    const size = labels.reduce((sum, label) => sum + (label === cluster), 0);
    const [x, y] = [centers[2 * cluster], centers[2 * cluster + 1]].map((value) => value.toFixed(3));
    item.textContent = `center (${x}, ${y}), ${size} ${size === 1 ? "point" : "points"}`;
    item.style.setProperty("--cluster", COLORS[cluster]);
    return item;
  });
  element("centers").replaceChildren(...items);
}

function drawPlane(k) {
  const context = plane.getContext("2d");
  const { width, height } = plane;
  context.clearRect(0, 0, width, height);
  if (k > 0) drawMap(context);
  const labels = k > 0 ? view(Uint32Array, program.labels(), points.length) : null;
  points.forEach(([x, y], index) => {
    context.beginPath();
    context.arc(x * width, y * height, 9, 0, 2 * Math.PI);
    context.fillStyle = labels ? COLORS[labels[index]] : "#6e7781";
    context.fill();
    context.lineWidth = 2.5;
    context.strokeStyle = "#ffffff";
    context.stroke();
  });
  const centers = k > 0 ? view(Float32Array, program.centers(), 2 * k) : [];
  for (let cluster = 0; cluster < k; cluster++) {
    drawCross(context, centers[2 * cluster] * width, centers[2 * cluster + 1] * height);
  }
}

/** Colors the plane by the cluster that `predict` returns for each pixel. */
function drawMap(context) {
  const address = program.cluster_map(MAP_SIDE);
  checked(address === 0 ? -1 : 0);
  const clusters = view(Uint8Array, address, MAP_SIDE * MAP_SIDE);
  const image = new ImageData(MAP_SIDE, MAP_SIDE);
  const channels = COLORS.map((color) => [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)));
  clusters.forEach((cluster, pixel) => image.data.set([...channels[cluster], 56], 4 * pixel));
  const map = new OffscreenCanvas(MAP_SIDE, MAP_SIDE);
  map.getContext("2d").putImageData(image, 0, 0);
  context.drawImage(map, 0, 0, plane.width, plane.height);
}

function drawCross(context, x, y) {
  context.lineCap = "round";
  for (const [width, color] of [[12, "#ffffff"], [6, "#24292f"]]) {
    context.lineWidth = width;
    context.strokeStyle = color;
    context.beginPath();
    context.moveTo(x - 14, y - 14);
    context.lineTo(x + 14, y + 14);
    context.moveTo(x + 14, y - 14);
    context.lineTo(x - 14, y + 14);
    context.stroke();
  }
}

// ---- Start ----

element("train").addEventListener("click", () => { running ? running = 0 : train().catch(fail); });
element("reset").addEventListener("click", reset);
element("clear-drawing").addEventListener("click", clearDrawing);
element("k").addEventListener("input", cluster);
element("sample").addEventListener("click", addGroups);
element("clear-points").addEventListener("click", clearPoints);

showTraining();
load().then(() => {
  for (const id of ["train", "reset", "sample"]) element(id).disabled = false;
  recognize();
  cluster();
}).catch(fail);
