// Hands in an image, by an exported model in onnxruntime-web. The steps are those of latent_hands.lite.
import { pixelsOf, resample, tensorOf } from "./images.js";
import {
  boxOf, disagreement, dot, iou, likeliest, logOdds, mean, placed, rayRotation, rightOdds, same, sameBox, sidesOfPair, sigmoid,
  spread, triples,
} from "./numbers.js";

export { pixelsOf };

/** Load the model of a folder. `ort` is onnxruntime-web. */
export async function load(ort, folder = ".") {
  const about = await (await fetch(`${folder}/model.json`)).json();
  const files = new Map();
  for (const arrow of [...Object.values(about.encoders), ...Object.values(about.decoders), about.detector]) {
    if (arrow) files.set(arrow.file, await ort.InferenceSession.create(`${folder}/${arrow.file}`));
  }
  return new Model(ort, about, files);
}

class Model {
  constructor(ort, about, files) {
    Object.assign(this, { ort, about, files });
  }

  /** Find the hands of an image ({width, height, data}), the highest score first. `boneMm` is assumed. */
  async find(image, { boneMm = 40, maxHands = 8 } = {}) {
    const rule = this.about.rules.presence;
    const threshold = this.about.detector.settings.threshold;
    const detected = (await this.detect(image, rule ? Math.min(rule.least_score, threshold) : threshold)).slice(0, maxHands);
    const found = [];
    for (const detection of detected) {
      const read = await this.readings(image, detection);
      const { readings } = read, sides = this.sides(read, detection.right);
      const hand = this.judged(image, readings[likeliest(sides)], detection, boneMm);
      if (hand && !found.some((other) => same(hand, other.hand, this.about.search))) {
        found.push({ hand, readings, sides, detection });
      }
    }
    if (found.length !== 2) return found.map(({ hand }) => hand);
    const pair = sidesOfPair(found[0].sides, found[1].sides, this.about.search.opposite);
    return found.map(({ hand, readings, detection }, i) => this.judged(image, readings[pair[i]], detection, boneMm) ?? hand);
  }

  async detect(image, leastScore) {
    const { multiple, stride, settings, peaks, views } = this.about.detector;
    const factor = settings.size_px / Math.max(image.width, image.height);
    const w = Math.max(1, Math.round(image.width * factor)), h = Math.max(1, Math.round(image.height * factor));
    const width = multiple * Math.ceil(w / multiple), height = multiple * Math.ceil(h / multiple);
    const resized = resample(image, [0, 0, image.width, image.height], w, h);
    const padded = new Uint8ClampedArray(width * height * 3).fill(views.grey);
    for (let j = 0; j < h; j++) padded.set(resized.subarray(j * w * 3, (j + 1) * w * 3), j * width * 3);
    const maps = await this.files.get(this.about.detector.file).run({ image: tensorOf(this.ort, [padded], width, height) });
    const columns = width / stride, rows = height / stride, cells = columns * rows;
    const [sides, place, size] = ["sides", "place", "size"].map((name) => maps[name].data);
    const logit = new Float32Array(cells), boxes = [];
    for (let i = 0; i < cells; i++) {
      const largest = Math.max(sides[i], sides[cells + i]);
      logit[i] = largest + Math.log(Math.exp(sides[i] - largest) + Math.exp(sides[cells + i] - largest));
      const [a, b] = [0, 1].map((k) => Math.exp(Math.min(Math.max(size[k * cells + i], peaks.size_limits[0]), peaks.size_limits[1])));
      const x = (i % columns) + 0.5 + place[i], y = Math.floor(i / columns) + 0.5 + place[cells + i];
      boxes.push([stride * (x - a / 2), stride * (y - b / 2), stride * a, stride * b]);
    }
    const highest = (i) => {
      for (let v = -1; v <= 1; v++) for (let u = -1; u <= 1; u++) {
        const column = (i % columns) + u, row = Math.floor(i / columns) + v;
        if (column >= 0 && row >= 0 && column < columns && row < rows && logit[row * columns + column] > logit[i]) return false;
      }
      return true;
    };
    const found = [];
    for (let i = 0; i < cells; i++) {
      if (logit[i] < peaks.least_logit || !highest(i)) continue;
      let support = 0;
      for (let k = 0; k < cells; k++) if (iou(boxes[i], boxes[k]) > peaks.support_iou) support += sigmoid(logit[k]);
      const [, , a, b] = boxes[i];
      const score = sigmoid(settings.peak * logit[i] + settings.support * Math.log(Math.max(support, 1e-3))
        + settings.size * Math.log(Math.sqrt(a * b)) + settings.shift);
      const right = sigmoid(settings.side_scale * (sides[cells + i] - sides[i]));
      const [x, y] = boxes[i], sx = w / image.width, sy = h / image.height;
      if (score >= leastScore) found.push({ box: [x / sx, y / sy, a / sx, b / sy], score, right });
    }
    found.sort((a, b) => b.score - a.score);
    const kept = [];
    for (const each of found) if (!kept.some((other) => sameBox(each.box, other.box, peaks))) kept.push(each);
    return kept.filter(({ box: [x, y, a, b] }) => x < image.width && y < image.height && x + a > 0 && y + b > 0);
  }

  /** Read a detection: once as its likelier side, then around its joints, as the sides that are plausible. */
  async readings(image, detection) {
    const search = this.about.search;
    const [x, y, width, height] = detection.box;
    const side = Math.max(search.first_crop * Math.max(width, height), search.least_side_px);
    const crop = [x + (width - side) / 2, y + (height - side) / 2, side];
    const likelier = detection.right >= 0.5 ? "right" : "left";
    const first = await this.readCrop(image, crop, likelier, false);
    const next = "uv" in this.about.hands.decoders ? this.nextCrop(image, first, crop) : crop;
    const readings = {};
    const glanced = rightOdds(first);
    let latest = first;
    for (let round = 0; round < 2; round++) {
      const sides = this.sidesAfter(latest, detection.right, glanced).filter((side) => !(side in readings));
      for (const side of sides) readings[side] = await this.readCrop(image, next, side, true);
      if (Object.keys(readings).length === 2) break;
      latest = Object.values(readings)[0];
    }
    return { readings, glanced };
  }

  /** The sides that a hand may be of after a reading as one side. */
  sidesAfter(reading, detected, glanced) {
    if (reading.side === undefined) return this.plausible(detected);
    return this.plausible(sigmoid(this.sideOdds(detected, rightOdds(reading), glanced)));
  }

  sideOdds(detected, odds, glanced) {
    const rule = this.about.rules.handedness;
    return rule.detector * logOdds(detected) + rule.side * odds + (rule.glance ?? 0) * glanced;
  }

  plausible(right) {
    const [low, high] = this.about.search.uncertain;
    return low < right && right < high ? ["left", "right"] : [right > 0.5 ? "right" : "left"];
  }

  /** The probability of each side as which a hand was read. */
  sides({ readings, glanced }, detected) {
    const { left, right } = readings;
    if (!left || !right) return { [left ? "left" : "right"]: 1 };
    const rule = this.about.rules.handedness;
    const [l, r] = [left, right].map((each) => this.features(each));
    let odds = this.sideOdds(detected, (rightOdds(left) + rightOdds(right)) / 2, glanced);
    for (const name of ["spread", "uv_spread", "disagreement", "nats"]) odds += rule[name] * (r[name] - l[name]);
    return { left: sigmoid(-odds), right: sigmoid(odds) };
  }

  features(reading) {
    const log = (value) => (value === undefined ? 0 : Math.log(Math.max(value, 1e-3)));
    return {
      spread: log(reading.spread && mean(reading.spread)),
      uv_spread: log(reading.uvSpread && mean(reading.uvSpread)),
      disagreement: log(reading.disagreement),
      nats: reading.nats,
    };
  }

  judged(image, reading, detection, boneMm) {
    const { presence, confidence } = this.about.rules, found = this.features(reading);
    const sidePx = Math.log(Math.min(reading.crop[2] / this.about.side_px, 1));
    const box = boxOf(reading.uv);
    if (presence) {
      if (reading.crop[2] < (presence.least_px ?? 0)) return null;
      const odds = presence.bias + presence.score * logOdds(detection.score) + presence.spread * found.spread
        + presence.disagreement * found.disagreement + presence.overlap * iou(box, detection.box)
        + presence.decoded * (reading.presence ?? 0) + presence.side_px * sidePx;
      if (sigmoid(odds) < presence.threshold) return null;
    }
    const beyond = ([u, v]) => !(u > -0.5 && v > -0.5 && u < image.width - 0.5 && v < image.height - 0.5);
    const sure = confidence && sigmoid(confidence.bias + confidence.spread * (found.spread + Math.log(boneMm))
      + confidence.disagreement * found.disagreement + confidence.score * logOdds(detection.score) + confidence.side_px * sidePx
      + (confidence.side ?? 0) * (reading.side ?? 0) + (confidence.outside ?? 0) * mean(reading.uv.map((joint) => +beyond(joint))));
    return {
      handedness: reading.handedness, score: detection.score, confidence: sure, box_px: box, uv_px: reading.uv,
      crop_px: [reading.crop[0], reading.crop[1], reading.crop[2], reading.crop[2]],
      xyz_mm: reading.pose.map((joint) => joint.map((each) => each * boneMm)),
    };
  }

  nextCrop(image, reading, [x, y, side]) {
    const { room, most_change, scale_tolerance, shift_tolerance, least_side_px } = this.about.search;
    const centre = reading.uv[12], us = reading.uv.map((j) => j[0]), vs = reading.uv.map((j) => j[1]);
    const high = [Math.min(Math.max(...us), image.width), Math.min(Math.max(...vs), image.height)];
    const low = [Math.max(Math.min(...us), 0), Math.max(Math.min(...vs), 0)];
    const half = Math.max(high[0] - centre[0], high[1] - centre[1], centre[0] - low[0], centre[1] - low[1]);
    const wanted = Math.min(Math.max(Math.max(2 * room * half, least_side_px), side / most_change), side * most_change);
    const moved = [centre[0] + 0.5 - wanted / 2, centre[1] + 0.5 - wanted / 2, wanted];
    const shift = Math.max(...[0, 1].map((k) => Math.abs(moved[k] + wanted / 2 - [x, y][k] - side / 2)));
    return Math.abs(wanted / side - 1) > scale_tolerance || shift > shift_tolerance * side ? moved : [x, y, side];
  }

  /** Read a square [x, y, side] of an image as a hand of a side. `full`: decode pose and spreads, too. */
  async readCrop(image, crop, handedness, full) {
    const { about, ort } = this, px = about.side_px;
    const flip = handedness === "right" && about.right_hands === "mirror";
    const bytes = resample(image, [crop[0], crop[1], crop[2], crop[2]], px, px);
    const input = tensorOf(ort, [bytes], px, px, [flip]);
    const right = handedness === "right" ? 1 : 0;
    const posterior = {};
    for (const [factor, names] of Object.entries(about.hands.encoders)) {
      posterior[factor] = await this.averaged(names, factor, input, right);
    }
    const means = Object.fromEntries(Object.entries(posterior).map(([f, q]) => [f, [q.mean]]));
    const reading = { handedness, crop, posterior };
    const centre = [crop[0] + (crop[2] - 1) / 2, crop[1] + (crop[2] - 1) / 2];
    for (const [written, name] of Object.entries(about.hands.decoders)) {
      if (!full && written !== "uv" && written !== "side") continue;
      const [values] = await this.decode(name, means, right);
      if (written === "side" || written === "presence") reading[written] = values[0];
      else if (written === "uv") {
        const mirror = flip ? -1 : 1;
        reading.uv = triples(values, 2).map(([u, v]) => [centre[0] + (crop[2] / 2) * mirror * u, centre[1] + (crop[2] / 2) * v]);
      } else if (written === "pose") reading.ray = triples(values, 3).map(([a, b, c]) => [flip ? -a : a, b, c]);
    }
    if (full) await this.complete(reading, image, centre, right);
    return reading;
  }

  /** Add pose (camera frame), disagreement, spreads and nats to a reading. */
  async complete(reading, image, centre, right) {
    const { field_of_view_deg, longest_shape } = this.about.search;
    const longer = Math.max(image.width, image.height), shorter = Math.min(image.width, image.height);
    const seen = longer > longest_shape * shorter ? shorter : longer;
    const focal = seen / 2 / Math.tan((field_of_view_deg * Math.PI) / 360);
    const R = rayRotation([(centre[0] - (image.width - 1) / 2) / focal, (centre[1] - (image.height - 1) / 2) / focal, 1]);
    const inRay = this.about.frame === "ray";
    reading.pose = inRay ? reading.ray.map((p) => R.map((row) => dot(p, row))) : reading.ray;
    const along = inRay ? reading.ray : reading.ray.map((p) => [0, 1, 2].map((k) => dot(p, R.map((row) => row[k]))));
    if (!reading.uv) reading.uv = placed(along, reading.crop, centre);
    reading.disagreement = disagreement(along, reading.uv);
    const wide = this.about.rules.temperature, draws = {};
    reading.nats = 0;
    for (const [factor, q] of Object.entries(reading.posterior)) {
      draws[factor] = this.about.noise[factor].map((row) => row.map((e, i) => q.mean[i] + wide * Math.exp(0.5 * q.logVar[i]) * e));
      if (this.about.hands.pose_factors.includes(factor)) {
        q.mean.forEach((m, i) => (reading.nats += 0.5 * (m * m + Math.exp(q.logVar[i]) - 1 - q.logVar[i])));
      }
    }
    for (const [written, name, size] of [["pose", "spread", 3], ["uv", "uvSpread", 2]]) {
      const decoder = this.about.hands.decoders[written];
      if (decoder) reading[name] = spread((await this.decode(decoder, draws, right)).map((each) => triples(each, size)));
    }
  }

  async averaged(names, factor, input, right) {
    const all = [];
    for (const name of names) {
      const arrow = this.about.encoders[name];
      const key = `${name}`;
      if (this._last?.input !== input) this._last = { input };
      this._last[key] ??= await this.files.get(arrow.file).run({ [arrow.reads]: input, ...this.sided(arrow, 1, right) });
      let start = 0;
      for (const each of Object.keys(arrow.factors)) {
        if (each === factor) break;
        start += arrow.factors[each];
      }
      all.push(["mean", "log_var"].map((m) => Array.from(this._last[key][m].data.subarray(start, start + arrow.factors[factor]))));
    }
    const [meanOf, logVar] = [0, 1].map((part) => all[0][part].map((_, i) => mean(all.map((each) => each[part][i]))));
    return { mean: meanOf, logVar };
  }

  /** Decode latents ({factor: rows}) and return one array of numbers for each row. */
  async decode(name, latents, right) {
    const arrow = this.about.decoders[name], count = Object.values(latents)[0].length;
    const rows = Array.from({ length: count }, (_, i) => Object.keys(arrow.factors).flatMap((f) => latents[f][i]));
    const latent = new this.ort.Tensor("float32", Float32Array.from(rows.flat()), [count, rows[0].length]);
    const written = (await this.files.get(arrow.file).run({ latent, ...this.sided(arrow, count, right) }))[arrow.writes];
    const size = written.data.length / count;
    return Array.from({ length: count }, (_, i) => Array.from(written.data.subarray(i * size, (i + 1) * size)));
  }

  sided(arrow, count, right) {
    return arrow.sided ? { right: new this.ort.Tensor("float32", new Float32Array(count).fill(right), [count]) } : {};
  }
}
