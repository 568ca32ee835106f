// The sound of a recording as a picture.

const MAX_BYTES = 24 * 1024 * 1024;
const RATE = 8000;
const PEAKS = 1600;

// Peaks between 0 and 1, evenly over the recording; null when it cannot or should not be decoded.
export async function peaksOf(url, bytes) {
  if (bytes !== null && bytes > MAX_BYTES) return null;
  try {
    const answer = await fetch(url);
    if (!answer.ok) return null;
    const sound = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await answer.arrayBuffer());
    return { seconds: sound.duration, peaks: peaksIn(sound) };
  } catch {
    return null;
  }
}

function peaksIn(sound) {
  const channels = Array.from({ length: sound.numberOfChannels }, (_, number) => sound.getChannelData(number));
  const per = Math.max(1, Math.floor(sound.length / PEAKS));
  const peaks = new Float32Array(Math.ceil(sound.length / per));
  for (const channel of channels) {
    for (let at = 0; at < channel.length; at += 1) {
      const loud = Math.abs(channel[at]);
      const place = Math.floor(at / per);
      if (loud > peaks[place]) peaks[place] = loud;
    }
  }
  const most = peaks.reduce((one, other) => Math.max(one, other), 0.001);
  return peaks.map((peak) => peak / most);
}

export function paint(canvas, { peaks, seconds }, length) {
  const width = Math.min(canvas.clientWidth * devicePixelRatio, 16_000);
  const height = canvas.clientHeight * devicePixelRatio;
  if (!width || !height) return;
  Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d");
  pen.fillStyle = getComputedStyle(canvas).color;
  const sounding = (width * seconds) / length;
  const step = 3 * devicePixelRatio;
  for (let x = 0; x < Math.min(sounding, width); x += step) {
    const from = Math.floor((x / sounding) * peaks.length);
    const to = Math.max(from + 1, Math.floor(((x + step) / sounding) * peaks.length));
    let loud = 0;
    for (let at = from; at < to && at < peaks.length; at += 1) loud = Math.max(loud, peaks[at]);
    const tall = Math.max(devicePixelRatio, loud * height);
    pen.fillRect(x, (height - tall) / 2, step * 0.6, tall);
  }
}
