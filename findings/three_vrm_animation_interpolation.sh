#!/usr/bin/env bash
# three-vrm-animation plays every VRM animation as LINEAR: STEP glides, and CUBICSPLINE gives tangents for rotations.
#
# @pixiv/three-vrm-animation and @pixiv/three-vrm 3.5.5, three 0.187.0, Node 20. A .vrma holds an animation of glTF's
# core, which has three kinds of interpolation. One expects the avatar to do what three.js makes of the file's own
# nodes. A head turns from 0.2 to 1.0 rad in a second, a blink goes from 0.25 to 1.0 meanwhile. Seen half way:
#     STEP:        nodes 0.2 rad, 0.25    avatar 0.6 rad, 0.63
#     CUBICSPLINE: nodes 0.6 rad, 0.63    avatar's head has the quaternion 0 0 0 0, blink 0
# The avatar's tracks are made new from times and values, and how to go from one to the next is left out. A spline has
# three values a key, so its in-tangents (here 0) are taken for the keys. Nothing is said, and nothing documented. A
# .vrma that plays there too has LINEAR keys only, close enough together.
# Needs Node 18 and npm. Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-package-lock --ignore-scripts --prefix "$folder" \
  @pixiv/three-vrm@3.5.5 @pixiv/three-vrm-animation@3.5.5 three@0.187.0

cat >"$folder/play.mjs" <<'JS'
import { VRMLoaderPlugin } from "@pixiv/three-vrm";
import { createVRMAnimationClip, VRMAnimationLoaderPlugin } from "@pixiv/three-vrm-animation";
import { AnimationMixer } from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

globalThis.ProgressEvent = class {}; // of browsers, which three.js asks for when it reads a data URI
const sides = (...names) => ["left", "right"].flatMap((side) => names.map((name) => side + name));
const bones = ["hips", "spine"].concat(
  sides("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand"),
  ["head"],
);
const nodes = bones.map((name, index) => ({
  name,
  translation: [0, index ? 0.1 : 1, 0],
  children: index + 1 < bones.length ? [index + 1] : undefined,
}));
const humanBones = Object.fromEntries(bones.map((name, node) => [name, { node }]));
const avatar = {
  asset: { version: "2.0" },
  scene: 0,
  scenes: [{ nodes: [0] }],
  nodes,
  extensionsUsed: ["VRMC_vrm"],
  extensions: {
    VRMC_vrm: {
      specVersion: "1.0",
      meta: { name: "", authors: [""], licenseUrl: "https://vrm.dev/licenses/1.0/" },
      humanoid: { humanBones },
      expressions: { preset: { blink: {} } },
    },
  },
};

function animation(interpolation) {
  const spline = interpolation === "CUBICSPLINE";
  const withTangents = (value) => [value.map(() => 0), value, value.map(() => 0)];
  const keys = (...values) => values.flatMap((value) => (spline ? withTangents(value) : [value]));
  const turned = (radians) => [0, Math.sin(radians / 2), 0, Math.cos(radians / 2)];
  const parts = [[[0], [1]], keys(turned(0.2), turned(1.0)), keys([0.25, 0, 0], [1, 0, 0])];
  const data = new Float32Array(parts.flat(2));
  const lengths = parts.map((part) => 4 * part.flat().length);
  const accessors = parts.map((part, bufferView) => ({
    bufferView,
    componentType: 5126,
    count: part.length,
    type: ["SCALAR", "VEC4", "VEC3"][bufferView],
  }));
  Object.assign(accessors[0], { min: [0], max: [1] });
  const [head, blink] = [bones.length - 1, bones.length];
  return {
    asset: { version: "2.0" },
    scene: 0,
    scenes: [{ nodes: [0, blink] }],
    nodes: [...nodes, { name: "blink" }],
    animations: [
      {
        samplers: [1, 2].map((output) => ({ input: 0, output, interpolation })),
        channels: [
          { sampler: 0, target: { node: head, path: "rotation" } },
          { sampler: 1, target: { node: blink, path: "translation" } },
        ],
      },
    ],
    accessors,
    bufferViews: lengths.map((byteLength, index) => ({
      buffer: 0,
      byteOffset: lengths.slice(0, index).reduce((sum, length) => sum + length, 0),
      byteLength,
    })),
    buffers: [
      {
        byteLength: data.byteLength,
        uri: `data:application/octet-stream;base64,${Buffer.from(data.buffer).toString("base64")}`,
      },
    ],
    extensionsUsed: ["VRMC_vrm_animation"],
    extensions: {
      VRMC_vrm_animation: {
        specVersion: "1.0",
        humanoid: { humanBones },
        expressions: { preset: { blink: { node: blink } } },
      },
    },
  };
}

const loader = () =>
  new GLTFLoader()
    .register((parser) => new VRMLoaderPlugin(parser))
    .register((parser) => new VRMAnimationLoaderPlugin(parser));
const at = (root, clip, seconds) => {
  const mixer = new AnimationMixer(root);
  mixer.clipAction(clip).play();
  mixer.update(seconds);
};
const told = (head, blink) => {
  const { x, y, z, w } = head.quaternion;
  const radians = x || y || z || w ? (2 * Math.atan2(y, w)).toFixed(1) : "0 0 0 0";
  return `head ${radians}, blink ${blink.toFixed(2)}`;
};

const seen = [];
for (const interpolation of ["LINEAR", "STEP", "CUBICSPLINE"]) {
  const { vrm } = (await loader().parseAsync(JSON.stringify(avatar), "")).userData;
  const file = await loader().parseAsync(JSON.stringify(animation(interpolation)), "");
  at(file.scene, file.animations[0], 0.5);
  at(vrm.scene, createVRMAnimationClip(file.userData.vrmAnimations[0], vrm), 0.5);
  const byNodes = told(file.scene.getObjectByName("head"), file.scene.getObjectByName("blink").position.x);
  const byAvatar = told(vrm.humanoid.getNormalizedBoneNode("head"), vrm.expressionManager.getValue("blink"));
  seen.push(`${interpolation}: nodes ${byNodes}; avatar ${byAvatar}`);
}
console.log(seen.join("\n"));
const expected = [
  "LINEAR: nodes head 0.6, blink 0.63; avatar head 0.6, blink 0.63",
  "STEP: nodes head 0.2, blink 0.25; avatar head 0.6, blink 0.63",
  "CUBICSPLINE: nodes head 0.6, blink 0.63; avatar head 0 0 0 0, blink 0.00",
];
process.exit(seen.join() === expected.join() ? 0 : 1);
JS

node "$folder/play.mjs"
