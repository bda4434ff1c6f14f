#!/usr/bin/env bash
# three-vrm gives the thumb bones of a VRM 0 file other names than the file has: the next one's, without a word.
#
# @pixiv/three-vrm 3.5.5, three 0.187.0, Node 20. VRM 0 names a thumb as Unity's HumanBodyBones do: proximal,
# intermediate, distal. VRM 1 calls the same three metacarpal, proximal, distal. One expects a bone by the name that its
# file has for it, as with every other bone. Seen, asking the loaded avatar for the file's names:
#     leftThumbProximal     is the file's leftThumbIntermediate
#     leftThumbIntermediate is nothing (null)
#     leftThumbDistal       is the file's leftThumbDistal
#     leftThumbMetacarpal   is the file's leftThumbProximal
# So a motion that comes by HumanBodyBones' names (VMC) bends the thumb one joint too far out, and loses a joint.
# Needs Node 18 and npm. Exits 1 if this changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
npm install --silent --no-package-lock --ignore-scripts --prefix "$folder" @pixiv/three-vrm@3.5.5 three@0.187.0

cat >"$folder/thumb.mjs" <<'JS'
import { VRMLoaderPlugin } from "@pixiv/three-vrm";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";

const sides = (...names) => ["left", "right"].flatMap((side) => names.map((name) => side + name));
const required = ["hips", "spine", "chest", "neck", "head"].concat(
  sides("UpperLeg", "LowerLeg", "Foot", "UpperArm", "LowerArm", "Hand"),
);
const thumb = ["leftThumbProximal", "leftThumbIntermediate", "leftThumbDistal"];
const names = [...required, ...thumb];
const document = {
  asset: { version: "2.0" },
  scene: 0,
  scenes: [{ nodes: [0] }],
  nodes: names.map((name, index) => ({ name, children: index + 1 < names.length ? [index + 1] : undefined })),
  extensionsUsed: ["VRM"],
  extensions: { VRM: { meta: {}, humanoid: { humanBones: names.map((bone, node) => ({ bone, node })) } } },
};
console.warn = (line) => console.log("warned:", line);
const loader = new GLTFLoader().register((parser) => new VRMLoaderPlugin(parser));
const { vrm } = (await loader.parseAsync(JSON.stringify(document), "")).userData;
const seen = [...thumb, "leftThumbMetacarpal"].map((name) => vrm.humanoid.getRawBoneNode(name)?.name ?? null);
console.log(JSON.stringify(seen));
const expected = ["leftThumbIntermediate", null, "leftThumbDistal", "leftThumbProximal"];
process.exit(JSON.stringify(seen) === JSON.stringify(expected) ? 0 : 1);
JS

node "$folder/thumb.mjs"
