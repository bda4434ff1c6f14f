#!/usr/bin/env bash
# three-vrm's first update turns the eyes ahead, whatever they were given; every later one leaves them as they are.
#
# @pixiv/three-vrm 3.5.5, three 0.187.0, Node 20. An avatar with a look-at of type "bone" and no target. One expects
# update() to take the normalized bones, eyes among them, to the avatar's own, as it does for every other bone. Seen,
# with the same turn of 0.3 rad about Y given to leftEye and head before each update:
#     update 1: head 0.3, leftEye 0.0 (the normalized eye is turned back too)
#     update 2: head 0.3, leftEye 0.3
# So whoever poses an avatar once and draws it (a picture, a test, the first frame of a stream) loses the gaze.
# Needs Node 18 and npm. Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-package-lock --ignore-scripts --prefix "$folder" @pixiv/three-vrm@3.5.5 three@0.187.0

cat >"$folder/eyes.mjs" <<'JS'
import { VRMLoaderPlugin } from "@pixiv/three-vrm";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

const sides = (...names) => ["left", "right"].flatMap((side) => names.map((name) => side + name));
const names = ["hips", "spine"].concat(
  sides("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand"),
  ["head"],
  sides("Eye"),
);
const document = {
  asset: { version: "2.0" },
  scene: 0,
  scenes: [{ nodes: [0] }],
  nodes: names.map((name, index) => ({ name, children: index + 1 < names.length ? [index + 1] : undefined })),
  extensionsUsed: ["VRMC_vrm"],
  extensions: {
    VRMC_vrm: {
      specVersion: "1.0",
      meta: { name: "", authors: [""], licenseUrl: "https://vrm.dev/licenses/1.0/" },
      humanoid: { humanBones: Object.fromEntries(names.map((name, node) => [name, { node }])) },
      expressions: {},
      lookAt: { type: "bone" },
    },
  },
};
const loader = new GLTFLoader().register((parser) => new VRMLoaderPlugin(parser));
const { vrm } = (await loader.parseAsync(JSON.stringify(document), "")).userData;
const turn = 0.3;
const seen = [1, 2].map((update) => {
  for (const name of ["head", "leftEye"]) {
    vrm.humanoid.getNormalizedBoneNode(name).quaternion.set(0, Math.sin(turn / 2), 0, Math.cos(turn / 2));
  }
  vrm.update(0);
  const [head, eye] = ["head", "leftEye"].map(
    (name) => 2 * Math.asin(vrm.humanoid.getRawBoneNode(name).quaternion.y),
  );
  console.log(`update ${update}: head ${head.toFixed(1)}, leftEye ${eye.toFixed(1)}`);
  return `${head.toFixed(1)} ${eye.toFixed(1)}`;
});
process.exit(seen.join() === "0.3 0.0,0.3 0.3" ? 0 : 1);
JS

node "$folder/eyes.mjs"
