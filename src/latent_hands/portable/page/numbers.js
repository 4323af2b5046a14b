// Boxes, rotations and statistics of joints. A box is [x, y, width, height] in pixels.
export const sigmoid = (x) => 1 / (1 + Math.exp(-x));
export const logOdds = (p) => Math.log(Math.min(Math.max(p, 0.001), 0.999) / (1 - Math.min(Math.max(p, 0.001), 0.999)));

export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
export const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;
export const triples = (values, size) => Array.from({ length: values.length / size }, (_, i) => values.slice(i * size, (i + 1) * size));

/** The rotation from the camera frame to the frame of a ray: X_ray = X @ R. */
export function rayRotation(ray) {
  const length = Math.hypot(...ray), [x, y, z] = ray.map((each) => each / length);
  return [[1 - (x * x) / (1 + z), (-x * y) / (1 + z), x], [(-x * y) / (1 + z), 1 - (y * y) / (1 + z), y], [-x, -y, z]];
}

/** Joints of a pose without perspective, placed by the rule that cuts crops. */
export function placed(pose, crop, centre) {
  const offset = pose.map(([x, y]) => [x - pose[12][0], y - pose[12][1]]);
  const bone = (0.5 * crop[2]) / Math.max(...offset.flat().map(Math.abs));
  return offset.map(([x, y]) => [centre[0] + bone * x, centre[1] + bone * y]);
}

export function disagreement(pose, uv) {
  const centred = (points) => {
    const [a, b] = [0, 1].map((k) => mean(points.map((p) => p[k])));
    return points.map((p) => [p[0] - a, p[1] - b]);
  };
  const flat = centred(pose), seen = centred(uv);
  const sum = (f) => flat.reduce((total, p, i) => total + f(p, seen[i]), 0);
  const scale = sum((p, s) => p[0] * s[0] + p[1] * s[1]) / Math.max(sum((p) => p[0] ** 2 + p[1] ** 2), 1e-12);
  if (scale <= 0) return Math.sqrt(sum((p) => p[0] ** 2 + p[1] ** 2) / flat.length);
  return Math.sqrt(sum((p, s) => (s[0] / scale - p[0]) ** 2 + (s[1] / scale - p[1]) ** 2) / flat.length);
}

/** The root mean square distance of the draws of each joint from their mean. */
export function spread(draws) {
  return draws[0].map((_, joint) => {
    const middle = draws[0][joint].map((_, k) => mean(draws.map((each) => each[joint][k])));
    const squares = draws.map((each) => each[joint].reduce((total, value, k) => total + (value - middle[k]) ** 2, 0));
    return Math.sqrt(squares.reduce((a, b) => a + b) / (draws.length - 1));
  });
}

/** The box of joints in palm form, with the wrist in place of the palm. */
export function boxOf(uv) {
  const points = [[2 * uv[0][0] - uv[12][0], 2 * uv[0][1] - uv[12][1]], ...uv.slice(1)];
  const us = points.map((p) => p[0]), vs = points.map((p) => p[1]);
  const x = Math.min(...us), y = Math.min(...vs);
  return [x + 0.5, y + 0.5, Math.max(...us) - x, Math.max(...vs) - y];
}

export function shared(a, b) {
  const across = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0]);
  const down = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1]);
  return Math.max(across, 0) * Math.max(down, 0);
}

export function iou(a, b) {
  const common = shared(a, b);
  return common / Math.max(a[2] * a[3] + b[2] * b[3] - common, 1e-6);
}

export function sameBox(a, b, peaks) {
  return iou(a, b) >= peaks.same_iou || shared(a, b) >= peaks.same_share * Math.min(a[2] * a[3], b[2] * b[3]);
}

export function same(a, b, search) {
  const larger = Math.max(...a.box_px.slice(2), ...b.box_px.slice(2));
  const distance = mean(a.uv_px.map((p, i) => Math.hypot(p[0] - b.uv_px[i][0], p[1] - b.uv_px[i][1])));
  const limit = a.handedness === b.handedness ? search.same_side_iou : search.same_iou;
  return iou(a.box_px, b.box_px) > limit || distance < search.same_distance * larger;
}

/** The log-odds of a right hand that a reading states. */
export function rightOdds({ handedness, side = 0 }) {
  return handedness === "right" ? side : -side;
}

/** The most probable side; `sides` has the probability of each. */
export function likeliest(sides) {
  return Object.keys(sides).reduce((best, side) => (sides[side] > sides[best] ? side : best));
}

/** The likeliest sides of two hands, which are a left and a right one with the probability `opposite`. */
export function sidesOfPair(first, second, opposite) {
  const odds = ([a, b]) => first[a] * second[b] * (a === b ? 1 - opposite : opposite);
  const pairs = Object.keys(first).flatMap((a) => Object.keys(second).map((b) => [a, b]));
  return pairs.reduce((best, pair) => (odds(pair) > odds(best) ? pair : best));
}
