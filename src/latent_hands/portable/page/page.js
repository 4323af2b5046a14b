// The page: a picture or the camera in, hands over the image out.
import * as ort from "./ort.wasm.min.mjs";
import { load, pixelsOf } from "./hands.js";

const MOST_PX = 1280; // longer side of the images that are read
const FINGERS = [[0, "#888"], [1, "#e6194b"], [5, "#f58231"], [9, "#3cb44b"], [13, "#4363d8"], [17, "#911eb4"]];
const [view, status, json, bone] = ["view", "status", "json", "bone"].map((id) => document.getElementById(id));
const context = view.getContext("2d");
ort.env.wasm.wasmPaths = new URL("./", import.meta.url).href;
ort.env.wasm.numThreads = 1;
const model = load(ort); // a promise: a picture may be given before the models are there
let stream;

function draw(source, hands) {
  context.drawImage(source, 0, 0, view.width, view.height);
  context.lineWidth = Math.max(2, view.width / 250);
  for (const hand of hands) {
    const [palm, middle] = [hand.uv_px[0], hand.uv_px[12]];
    const wrist = [2 * palm[0] - middle[0], 2 * palm[1] - middle[1]];
    for (const [tip, colour] of FINGERS.slice(1)) {
      context.strokeStyle = colour;
      context.beginPath();
      context.moveTo(wrist[0] + 0.5, wrist[1] + 0.5);
      for (let joint = tip + 3; joint >= tip; joint--) context.lineTo(hand.uv_px[joint][0] + 0.5, hand.uv_px[joint][1] + 0.5);
      context.stroke();
    }
    const [x, y] = hand.box_px;
    context.fillStyle = "#000";
    context.font = `${Math.max(14, view.width / 40)}px system-ui`;
    context.fillText(`${hand.handedness} ${Math.round(100 * (hand.confidence ?? hand.score))} %`, x, y - 4);
  }
}

async function find(source, width, height) {
  const scale = Math.min(1, MOST_PX / Math.max(width, height));
  view.width = Math.round(width * scale);
  view.height = Math.round(height * scale);
  const begin = performance.now();
  const image = pixelsOf(source, view.width, view.height);
  const hands = await (await model).find(image, { boneMm: Number(bone.value) || 40 });
  draw(source, hands);
  json.textContent = JSON.stringify(hands);
  const count = hands.length === 1 ? "1 hand" : `${hands.length} hands`;
  status.textContent = `${count}, ${Math.round(performance.now() - begin)} ms`;
  return hands;
}

async function readFile(file) {
  stop();
  let picture;
  try {
    picture = await createImageBitmap(file, { colorSpaceConversion: "none" });
  } catch (error) {
    status.textContent = `${file.name} is not a picture that this browser reads: ${error.message}`;
    return;
  }
  try {
    await find(picture, picture.width, picture.height);
  } catch (error) {
    status.textContent = `No hands were searched in ${file.name}: ${error.message}`;
  }
}

function stop() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = undefined;
}

async function watch() {
  if (stream) return stop();
  try {
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 } });
  } catch (error) {
    status.textContent = `No camera: ${error.message}`;
    return;
  }
  const video = document.createElement("video");
  video.srcObject = stream;
  video.muted = true;
  await video.play();
  while (stream) {
    const frame = await createImageBitmap(video);
    await find(frame, frame.width, frame.height);
    frame.close();
    await new Promise(requestAnimationFrame);
  }
}

const chosen = document.getElementById("file");
const readChosen = () => chosen.files[0] && readFile(chosen.files[0]);
chosen.addEventListener("change", readChosen);
readChosen(); // a picture that was chosen before this script ran
document.getElementById("camera").addEventListener("click", watch);
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files[0]) readFile(event.dataTransfer.files[0]);
});

try {
  await model;
  status.textContent = "Ready";
} catch (error) {
  status.textContent = `The models do not load: ${error.message}`;
}
