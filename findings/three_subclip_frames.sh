#!/usr/bin/env bash
# three.js cuts a take by frames, and in four of five cuts takes a frame too many, one too few, or begins a frame late.
#
# three 0.187.0, Node 20. AnimationUtils.subclip(clip, name, start, end, fps) is to take the frames from start to before
# end. The keys of a take lie at frame / fps seconds, which a track (as a .glb) holds as 32-bit floats. subclip takes
# those with time * fps in the range, without rounding: at 30 fps, frame 13 is at 13.0000001 and frame 19 at 18.9999998.
# Seen, for all cuts of 10 frames out of a minute at 30 fps (1790):
#     373 have their ten frames, 588 have eleven, 829 lack the first, and 245 of these have one too many at the end
# A cut without its first frame is moved to begin at 0, so it runs a frame ahead of sound and of other people's cuts.
# At 60 fps 734 of 3590 are right. Mend: subclip(clip, name, start - 0.5, end - 0.5, fps), which gets all of them.
# Needs Node 18 and npm. Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-package-lock --ignore-scripts --prefix "$folder" three@0.187.0

cat >"$folder/cut.mjs" <<'JS'
import { AnimationClip, AnimationUtils, NumberKeyframeTrack } from "three";

const LENGTH = 10;

function cuts(fps, shift) {
  const frames = Array.from({ length: 60 * fps }, (_, frame) => frame);
  const track = new NumberKeyframeTrack("bone.frame", frames.map((frame) => frame / fps), frames);
  const clip = new AnimationClip("take", -1, [track]);
  const kinds = { "0 0": "right", "0 1": "eleven", "1 0": "first missing", "1 1": "first missing, one more after" };
  const counts = Object.fromEntries([...Object.values(kinds), "other"].map((name) => [name, 0]));
  for (let start = 0; start + LENGTH < frames.length; start++) {
    const cut = AnimationUtils.subclip(clip, "cut", start + shift, start + LENGTH + shift, fps);
    const { times, values } = cut.tracks[0];
    if (times[0] !== 0) throw new Error("a cut does not begin at 0");
    const late = values[0] - start;
    const over = values.at(-1) - (start + LENGTH - 1);
    counts[kinds[`${late} ${over}`] ?? "other"]++;
  }
  console.log(`${fps} fps, shift ${shift}:`, JSON.stringify(counts));
  return Object.values(counts).join(" ");
}

const seen = [cuts(30, 0), cuts(60, 0), cuts(30, -0.5), cuts(60, -0.5)];
const expected = ["373 588 584 245 0", "734 1186 1183 487 0", "1790 0 0 0 0", "3590 0 0 0 0"];
process.exit(seen.join() === expected.join() ? 0 : 1);
JS

node "$folder/cut.mjs"
