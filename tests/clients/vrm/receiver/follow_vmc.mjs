// Loads a VRM and moves it by VMC: `node follow_vmc.mjs AVATAR.vrm`. Prints the port that it listens at, then a line
// of JSON a datagram: where the avatar's own bones are in the world, how far they have turned from rest, its morphs.
import dgram from "node:dgram";
import fs from "node:fs";
import { VRMLoaderPlugin, VRMUtils } from "@pixiv/three-vrm";
import * as THREE from "three";
import { GLTFLoader } from "three/examples/jsm/loaders/GLTFLoader.js";
import { messagesOf } from "./osc.mjs";

// VMC names bones as Unity does. VRM 1 calls a thumb's first bone its metacarpal, and three-vrm names VRM 0's so too.
const THUMB = { ThumbProximal: "ThumbMetacarpal", ThumbIntermediate: "ThumbProximal" };
// VMC's faces of VRM 0, as Unity names them, by three-vrm's names.
const FACES = {
  A: "aa", I: "ih", U: "ou", E: "ee", O: "oh", Blink: "blink", Blink_L: "blinkLeft", Blink_R: "blinkRight",
  LookUp: "lookUp", LookDown: "lookDown", LookLeft: "lookLeft", LookRight: "lookRight",
};

const loader = new GLTFLoader().register((parser) => new VRMLoaderPlugin(parser));
const file = await loader.parseAsync(new Uint8Array(fs.readFileSync(process.argv[2])).buffer, "");
const vrm = file.userData.vrm;
const isVrm0 = vrm.meta.metaVersion === "0";
VRMUtils.rotateVRM0(vrm); // one that faces -Z turns to +Z, as VRM 1 does
vrm.update(0); // the first update has the look-at turn the eyes ahead, whatever they were given
vrm.scene.updateMatrixWorld(true);
const names = Object.keys(vrm.humanoid.humanBones);
const atRest = Object.fromEntries(names.map((name) => [name, turnOf(name).invert()]));
const faces = {};

const socket = dgram.createSocket("udp4");
socket.on("message", (data) => {
  for (const { address, values } of messagesOf(data)) take(address, values);
  vrm.update(0);
  vrm.scene.updateMatrixWorld(true);
  const bones = Object.fromEntries(
    names.map((name) => {
      const place = vrm.humanoid.getRawBoneNode(name).getWorldPosition(new THREE.Vector3());
      return [name, [...place.toArray(), ...turnOf(name).multiply(atRest[name]).toArray()]];
    }),
  );
  console.log(JSON.stringify({ bones, morphs: vrm.scene.getObjectByName("face").morphTargetInfluences }));
});
socket.bind(0, "127.0.0.1", () => console.log(socket.address().port));
process.stdin.on("end", () => socket.close()).resume(); // whoever started us is done

function take(address, values) {
  if (address === "/VMC/Ext/Bone/Pos") {
    const bone = vrm.humanoid.getNormalizedBoneNode(boneName(values[0]));
    if (bone === null) throw new Error(`the avatar has no bone ${values[0]}`);
    const [x, y, z, qx, qy, qz, qw] = values.slice(1);
    // Unity's avatar faces +Z with +X at its right. A loader of VRM 0 mirrors z, one of VRM 1 mirrors x.
    bone.quaternion.set(...(isVrm0 ? [-qx, -qy, qz, qw] : [qx, -qy, -qz, qw]));
    if (values[0] === "Hips") bone.position.set(...(isVrm0 ? [x, y, -z] : [-x, y, z]));
  } else if (address === "/VMC/Ext/Blend/Val") {
    faces[values[0]] = values[1];
  } else if (address === "/VMC/Ext/Blend/Apply") {
    for (const [name, value] of Object.entries(faces)) vrm.expressionManager.setValue(FACES[name] ?? name, value);
  }
}

function boneName(unity) {
  const thumb = unity.replace(/Thumb(Proximal|Intermediate)$/, (end) => THUMB[end]);
  return thumb[0].toLowerCase() + thumb.slice(1);
}

function turnOf(name) {
  return vrm.humanoid.getRawBoneNode(name).getWorldQuaternion(new THREE.Quaternion());
}
