// Pixels of images, and squares of them as inputs of networks. Colours outside an image are mid-grey.
const GREY = 128;

/** The pixels of an image: {width, height, data} with data as RGBA bytes. */
export function pixelsOf(source, width, height) {
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, 0, width, height);
  return context.getImageData(0, 0, width, height);
}

/** Resample a box [x, y, width, height] of an image by Pillow's bilinear filter. Pixel i covers i to i + 1. */
export function resample(image, [x, y, width, height], outWidth, outHeight) {
  const across = weights(x, width, outWidth, image.width);
  const down = weights(y, height, outHeight, image.height);
  const first = Math.min(...down.map((each) => each.start));
  const last = Math.max(...down.map((each) => each.start + each.values.length));
  const rows = new Float32Array((last - first) * outWidth * 3);
  for (let v = first; v < last; v++) {
    for (let i = 0; i < outWidth; i++) {
      const { start, values } = across[i];
      for (let c = 0; c < 3; c++) {
        let sum = 0;
        for (let k = 0; k < values.length; k++) sum += values[k] * pixel(image, start + k, v, c);
        rows[((v - first) * outWidth + i) * 3 + c] = Math.round(sum);
      }
    }
  }
  const out = new Uint8ClampedArray(outWidth * outHeight * 3);
  for (let j = 0; j < outHeight; j++) {
    const { start, values } = down[j];
    for (let i = 0; i < outWidth * 3; i++) {
      let sum = 0;
      for (let k = 0; k < values.length; k++) sum += values[k] * rows[(start + k - first) * outWidth * 3 + i];
      out[j * outWidth * 3 + i] = Math.round(sum);
    }
  }
  return out;
}

function pixel(image, u, v, c) {
  if (u < 0 || v < 0 || u >= image.width || v >= image.height) return GREY;
  return image.data[(v * image.width + u) * 4 + c];
}

/** The triangle filter of each output pixel: the first source pixel and the weights. */
function weights(start, extent, count, length) {
  const scale = extent / count, support = Math.max(scale, 1);
  const whole = start === 0 && extent === length; // Pillow reads nothing outside a whole image
  return Array.from({ length: count }, (_, i) => {
    const centre = start + (i + 0.5) * scale;
    let low = Math.floor(centre - support + 0.5), high = Math.floor(centre + support + 0.5);
    if (whole) [low, high] = [Math.max(low, 0), Math.min(high, length)];
    const values = [];
    for (let k = low; k < high; k++) values.push(Math.max(0, 1 - Math.abs((k + 0.5 - centre) / support)));
    const sum = values.reduce((a, b) => a + b);
    return { start: low, values: values.map((each) => each / sum) };
  });
}

/** Bytes (height, width, 3) of several images as a network's input, mirrored where `flips` says so. */
export function tensorOf(ort, images, width, height, flips = []) {
  const values = new Float32Array(images.length * 3 * width * height);
  images.forEach((bytes, n) => {
    for (let j = 0; j < height; j++) for (let i = 0; i < width; i++) for (let c = 0; c < 3; c++) {
      const from = flips[n] ? width - 1 - i : i;
      values[((n * 3 + c) * height + j) * width + i] = bytes[(j * width + from) * 3 + c] / 127.5 - 1;
    }
  });
  return new ort.Tensor("float32", values, [images.length, 3, height, width]);
}
